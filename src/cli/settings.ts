import type { CredentialSource } from "../client/index.ts";

/** Variables of the environment by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Options that every command takes. */
export interface GlobalOptions {
  readonly endpoint?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const ENDPOINT_DEFAULT = "http://127.0.0.1:7788";
const REGION_DEFAULT = "us-east-1";

/** The service to talk to: the option, the usual variables, or the address `serve` listens on. */
export function endpointFrom({ endpoint }: GlobalOptions, env: Environment): string {
  const names = ["VARVE_ENDPOINT", "AWS_ENDPOINT_URL_EBS", "AWS_ENDPOINT_URL"];
  return endpoint ?? firstOf(env, names) ?? ENDPOINT_DEFAULT;
}

/** The region named by the option or the environment, if any. */
export function regionGiven({ region }: GlobalOptions, env: Environment): string | undefined {
  return region ?? firstOf(env, ["AWS_REGION", "AWS_DEFAULT_REGION"]);
}

/** The region to sign for. */
export function regionFrom(options: GlobalOptions, env: Environment): string {
  return regionGiven(options, env) ?? REGION_DEFAULT;
}

/** The key pair in the environment, if both halves are there. */
export function keyPairFrom(
  env: Environment,
): { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined {
  const [accessKeyId, secretAccessKey] = [env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]];
  return accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined;
}

/**
 * Where to take keys from: a profile that was asked for, the environment, or the shared files of
 * the AWS tools. A profile named on the command line goes before the environment, as with them.
 */
export function credentialsFrom({ profile }: GlobalOptions, env: Environment): CredentialSource {
  const keyPair = profile === undefined ? keyPairFrom(env) : undefined;
  const sessionToken = env["AWS_SESSION_TOKEN"] || undefined;
  if (keyPair) return { ...keyPair, sessionToken };
  return async () => {
    // Large, and needed only here.
    const { fromIni } = await import("@aws-sdk/credential-providers");
    try {
      return await fromIni(profile === undefined ? {} : { profile })();
    } catch (cause) {
      throw noCredentials(profile, cause);
    }
  };
}

function noCredentials(profile: string | undefined, cause: unknown): Error {
  const where = profile === undefined ? "" : ` in the profile ${profile}`;
  const message =
    `No access key found${where}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ` +
    "AWS_SHARED_CREDENTIALS_FILE to the credentials file in the service's data folder.";
  return Object.assign(new Error(message, { cause }), { name: "CredentialsProviderError" });
}

function firstOf(env: Environment, names: readonly string[]): string | undefined {
  return names.map((name) => env[name]).find((value) => value !== undefined && value !== "");
}
