import { LISTEN_ADDRESS_DEFAULT, REGION_DEFAULT } from "../../model/defaults.ts";
import type { NodeClientOptions } from "../call/create-client.ts";
import type { ServiceName } from "../call/endpoints.ts";
import type { CredentialSource, ExpiringCredentials } from "../call/signer.ts";
import { type Environment, type Profile, profileNamed, readProfile } from "./profile-files.ts";

/** Where `varve serve` listens. */
export const ENDPOINT_DEFAULT = `http://${LISTEN_ADDRESS_DEFAULT}`;
/**
 * How the instance metadata is asked, in milliseconds and further attempts: at first where nothing
 * else has credentials, and on most machines nobody answers; then where some were found.
 */
const METADATA_AT_FIRST = { timeout: 1_000, maxRetries: 0 };
const METADATA_KNOWN = { timeout: 5_000, maxRetries: 2 };

/** What goes before everything that the environment and AWS's files say. */
export interface GivenSettings {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
  readonly caFile?: string | undefined;
}

/** What `createClient` needs to know of where, and as whom. */
export type ConnectionSettings = Pick<
  NodeClientOptions,
  "endpoint" | "endpoints" | "region" | "credentials" | "caFile" | "useFipsEndpoint"
>;

/**
 * Finds endpoints, region, credentials and trusted certificates as AWS's own tools do: what is
 * given, then the environment, then the profile in `~/.aws`. Credentials are looked for when the
 * first call needs them. Where nothing names an endpoint it is this machine's own service.
 *
 *     const client = createClient(await settingsFromAws());
 */
export async function settingsFromAws(
  given: GivenSettings = {},
  env: Environment = process.env,
): Promise<ConnectionSettings> {
  const named = profileNamed(given.profile, env);
  const profile = await readProfile(named ?? "default", env);
  const endpoints = endpointsFrom(given, env, profile);
  const isOurDefault = endpoints.endpoint === undefined && named === undefined;
  const region =
    given.region ??
    firstOf(env, ["AWS_REGION", "AWS_DEFAULT_REGION"]) ??
    // The region of a profile that nobody named says nothing of a service on this machine.
    (isOurDefault ? undefined : profile.settings["region"]) ??
    REGION_DEFAULT;
  const search = {
    profile: named,
    isGiven: given.profile !== undefined,
    // AWS's own code does not look for this in a profile; but single sign-on would go there, too.
    roleEndpoint: profile.isSignOn ? undefined : endpoints.endpoints?.sts,
  };
  const fips = env["AWS_USE_FIPS_ENDPOINT"] || profile.settings["use_fips_endpoint"];
  return {
    ...endpoints,
    endpoint: endpoints.endpoint ?? ENDPOINT_DEFAULT,
    region,
    credentials: credentialSource({ ...search, region }, env),
    caFile: given.caFile ?? (env["AWS_CA_BUNDLE"] || profile.settings["ca_bundle"]),
    useFipsEndpoint: fips === "true",
  };
}

/** The endpoint of all services that an option or `VARVE_ENDPOINT` gives, if any. */
export function endpointGiven({ endpoint }: GivenSettings, env: Environment): string | undefined {
  return endpoint ?? firstOf(env, ["VARVE_ENDPOINT"]);
}

/** The endpoint that the environment has for a service, if any. */
export function endpointOfService(service: ServiceName, env: Environment): string | undefined {
  if (env["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] === "true") return undefined;
  return firstOf(env, [`AWS_ENDPOINT_URL_${service.toUpperCase()}`, "AWS_ENDPOINT_URL"]);
}

function endpointsFrom(
  given: GivenSettings,
  env: Environment,
  { settings, services }: Profile,
): { readonly endpoint: string | undefined; readonly endpoints?: ConnectionSettings["endpoints"] } {
  const forAll = endpointGiven(given, env);
  if (forAll !== undefined) return { endpoint: forAll };
  const isIgnored =
    env["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] === "true" ||
    settings["ignore_configured_endpoint_urls"] === "true";
  const inFiles = (service: ServiceName) =>
    isIgnored ? undefined : (services[`${service}.endpoint_url`] ?? settings["endpoint_url"]);
  const of = (service: ServiceName) => endpointOfService(service, env) ?? inFiles(service);
  const [ebs, ec2, sts] = [of("ebs"), of("ec2"), of("sts")];
  // A service without an endpoint of its own is where the EBS direct APIs are.
  return { endpoint: ebs, endpoints: { ...(ec2 ? { ec2 } : {}), ...(sts ? { sts } : {}) } };
}

/** The key pair in the environment, if both halves are there. */
export function keyPairFrom(
  env: Environment,
): { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined {
  const [accessKeyId, secretAccessKey] = [env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]];
  return accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined;
}

interface CredentialSearch {
  /** The profile that somebody named, if any. */
  readonly profile: string | undefined;
  /** True where the caller named it and not the environment. */
  readonly isGiven: boolean;
  readonly region: string;
  /** Where STS is, of which a profile's role is asked; default: where AWS's own code finds it. */
  readonly roleEndpoint: string | undefined;
}

/**
 * Where to take keys from: a profile that was asked for, the environment, the shared files of the
 * AWS tools, and what the container or machine is given. A profile named on the command line goes
 * before the environment, as with them.
 */
function credentialSource(search: CredentialSearch, env: Environment): CredentialSource {
  const { profile, isGiven } = search;
  const keyPair = isGiven ? undefined : keyPairFrom(env);
  const sessionToken = env["AWS_SESSION_TOKEN"] || undefined;
  if (keyPair) return { ...keyPair, sessionToken };
  let provider: Promise<CredentialProvider> | undefined;
  let hasFound = false;
  return async () => {
    try {
      provider ??= providerFor(search, hasFound ? METADATA_KNOWN : METADATA_AT_FIRST);
      const found = await (await provider)();
      // Whatever has given them once is worth waiting for.
      if (!hasFound) provider = undefined;
      hasFound = true;
      return found;
    } catch (cause) {
      throw noCredentials(profile, cause);
    }
  };
}

/** What AWS's code makes of where to look; it remembers what it was given last. */
type CredentialProvider = () => Promise<ExpiringCredentials>;

async function providerFor(
  { profile, region, roleEndpoint }: CredentialSearch,
  metadata: typeof METADATA_KNOWN,
): Promise<CredentialProvider> {
  // Large, and needed only here.
  const { fromIni, fromNodeProviderChain } = await import("@aws-sdk/credential-providers");
  // For what a role is asked from, unless its own profile says otherwise.
  const callerClientConfig = {
    region: async () => region,
    ...(profile === undefined ? {} : { profile }),
  };
  const role = roleEndpoint === undefined ? {} : { clientConfig: { endpoint: roleEndpoint } };
  // Whoever named a profile is not to be given somebody else's keys where it has none.
  const find =
    profile !== undefined
      ? fromIni({ profile, ...metadata, ...role })
      : fromNodeProviderChain({ ...metadata, ...role });
  return () => find({ callerClientConfig });
}

function noCredentials(profile: string | undefined, cause: unknown): Error {
  const where = profile === undefined ? "" : ` in the profile ${profile}`;
  // What a role or single sign-on was refused with is in its own words; the chain only lists.
  const why =
    profile !== undefined && cause instanceof Error ? ` The reason: ${cause.message}` : "";
  const message =
    `No access key found${where}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ` +
    `AWS_SHARED_CREDENTIALS_FILE to the credentials file in the service's data folder.${why}`;
  return Object.assign(new Error(message, { cause }), { name: "CredentialsProviderError" });
}

function firstOf(env: Environment, names: readonly string[]): string | undefined {
  return names.map((name) => env[name]).find((value) => value !== undefined && value !== "");
}
