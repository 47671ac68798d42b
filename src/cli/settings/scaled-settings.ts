import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { FileError } from "../../client/index.ts";
import { REGION_DEFAULT } from "../../model/defaults.ts";
import { DOMAIN_SECRET_BYTES } from "../../model/limits.ts";
import type { ScaledStore } from "../../service.ts";
import { UsageError } from "../errors.ts";
import type { Environment } from "./settings.ts";

/** Where a store lies that many processes serve, as given on the command line. */
export interface ScaledOptions {
  readonly store?: string | undefined;
  readonly storeEndpoint?: string | undefined;
  readonly storeRegion?: string | undefined;
  readonly storeCaFile?: string | undefined;
  readonly storeEncryption?: string | undefined;
  readonly catalog?: string | undefined;
}

/** Their names, which are also those in a configuration file. */
export const SCALED_NAMES = [
  "store",
  "storeEndpoint",
  "storeRegion",
  "storeCaFile",
  "storeEncryption",
  "catalog",
] as const satisfies readonly (keyof ScaledOptions)[];

const BUCKET = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/;
const PREFIX = /^(?:[A-Za-z0-9_.=-]+\/)*$/;

/** Adds the options of a store in two engines to a command. */
export function addScaledOptions(command: Command): Command {
  const place = "bucket that holds the segments, with --catalog";
  return addReachOptions(command.option("--store <s3://bucket/prefix>", place));
}

/** The same for a command that says in other words where the bucket is. */
export function addReachOptions(command: Command): Command {
  return command
    .option(
      "--catalog <source>",
      "postgres://USER@HOST/DATABASE, or file:PATH that holds it, with the password",
    )
    .option("--store-endpoint <url>", "where S3 is (default: AWS's of the region)")
    .option("--store-region <region>", "region that requests to S3 are signed for")
    .option("--store-ca-file <file>", "certificates in PEM that vouch for S3's")
    .option("--store-encryption <kind>", "AES256, aws:kms or aws:kms:KEYID: have S3 encrypt");
}

/**
 * Where the store lies; undefined where nothing names one in a bucket. Throws a `UsageError` for
 * half of it, and for what others could see.
 */
export async function scaledSettings(
  given: ScaledOptions,
  env: Environment,
): Promise<ScaledStore | undefined> {
  const { store, catalog, ...others } = given;
  if (!store && !catalog) {
    const [alone] = Object.entries(others).filter(([, value]) => value);
    if (alone === undefined) return undefined;
    throw new UsageError(`${optionOf(alone[0])} says how a bucket is reached: give --store, too.`);
  }
  if (!store) throw needs("--catalog", "--store s3://BUCKET/PREFIX");
  if (!catalog) throw needs("--store", "--catalog postgres://USER@HOST/DATABASE");
  const region =
    given.storeRegion || env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] || REGION_DEFAULT;
  const endpoint = given.storeEndpoint || env["AWS_ENDPOINT_URL_S3"] || endpointOfAws(region);
  const caFile = given.storeCaFile || env["AWS_CA_BUNDLE"] || undefined;
  return {
    bucket: {
      ...parseStore(store),
      region,
      endpoint: parseEndpoint(endpoint),
      credentials: credentialsFrom(env),
      authorities: caFile === undefined ? undefined : await readText(caFile),
      ...parseEncryption(given.storeEncryption),
    },
    catalog: parseCatalog(await catalogText(catalog)),
  };
}

/** Of all options of a command, those that say where a store in two engines lies. */
export function scaledOptionsOf(options: ScaledOptions): ScaledOptions {
  return Object.fromEntries(SCALED_NAMES.map((name) => [name, options[name]]));
}

/** Said where a store in two engines is to be used without the key that it cannot keep itself. */
export function keyNeeded(): UsageError {
  return new UsageError(
    "A store in a bucket has no folder to keep its key-encryption key in: make one with " +
      `'openssl rand -base64 ${DOMAIN_SECRET_BYTES}', keep it where all processes have it and ` +
      "backups are, and give --key-encryption-key file:PATH, env:NAME or aws-kms:ARN.",
  );
}

/** Throws where a password stands on the command line, where everybody on the machine sees it. */
export function refuseSeenPassword(command: Command, ...names: readonly string[]): void {
  for (const name of names) {
    if (command.getOptionValueSource(name) !== "cli") continue;
    const text = String(command.getOptionValue(name));
    if (!/^postgres(?:ql)?:\/\//.test(text)) continue;
    if (parseCatalog(text).password === undefined) continue;
    throw new UsageError(
      `A password is never given with ${optionOf(name)}, for others see the command line: ` +
        "set PGPASSWORD, or give file:PATH, and replace the password that was just seen.",
    );
  }
}

/** The key pair that the service itself accepts; those of AWS's names are for its bucket. */
export function ownKeyPair(env: Environment): Pair | undefined {
  return pairFrom(env, "VARVE_ACCESS_KEY_ID", "VARVE_SECRET_ACCESS_KEY");
}

type Pair = { readonly accessKeyId: string; readonly secretAccessKey: string };

/** Undefined where the SDK is to look for them as AWS's own tools do. */
function credentialsFrom(env: Environment): Pair | undefined {
  return pairFrom(env, "VARVE_STORE_ACCESS_KEY_ID", "VARVE_STORE_SECRET_ACCESS_KEY");
}

function pairFrom(env: Environment, idName: string, secretName: string): Pair | undefined {
  const [accessKeyId, secretAccessKey] = [env[idName], env[secretName]];
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey };
  if (!accessKeyId && !secretAccessKey) return undefined;
  throw new UsageError(`Only one of ${idName} and ${secretName} is set: set both, or neither.`);
}

function parseStore(text: string): { readonly bucket: string; readonly prefix: string } {
  const [, bucket, path = ""] = BUCKET.exec(text) ?? [];
  const prefix = path === "" || path.endsWith("/") ? path : `${path}/`;
  if (bucket !== undefined && PREFIX.test(prefix)) return { bucket, prefix };
  throw new UsageError(
    `Cannot keep a store in '${text}': give s3://BUCKET/PREFIX, for example s3://backups/varve.`,
  );
}

function parseEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url && /^https?:$/.test(url.protocol) && url.pathname === "/" && !url.search;
  if (url && isPlain && !url.username && !url.password) return url.origin;
  throw new UsageError(
    "Cannot reach S3 there: --store-endpoint takes http:// or https:// with a host and perhaps a " +
      "port, and no credentials: those go into VARVE_STORE_ACCESS_KEY_ID and " +
      "VARVE_STORE_SECRET_ACCESS_KEY.",
  );
}

/** Said in full, for the environment's AWS_ENDPOINT_URL is where this service is called. */
function endpointOfAws(region: string): string {
  return `https://s3.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
}

function parseEncryption(text: string | undefined): Partial<ScaledStore["bucket"]> {
  if (!text) return {};
  const [, kind, key] = /^(AES256|aws:kms)(?::(.+))?$/.exec(text) ?? [];
  if (kind === "AES256" && key === undefined) return { encryption: kind };
  if (kind === "aws:kms") return { encryption: kind, encryptionKeyId: key };
  throw new UsageError(
    `S3 cannot be asked for the encryption '${text}': give AES256, aws:kms or aws:kms:KEYID.`,
  );
}

async function catalogText(text: string): Promise<string> {
  if (!text.startsWith("file:")) return text;
  return (await readText(text.slice("file:".length))).trim();
}

/** The text is never repeated: there may be a password in it. */
function parseCatalog(text: string): ScaledStore["catalog"] {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^postgres(?:ql)?:$/.test(url.protocol)) {
    throw new UsageError(
      "Cannot reach a catalog there: give postgres://USER@HOST:PORT/DATABASE, or file:PATH that " +
        "holds it.",
    );
  }
  const password = decodeURIComponent(url.password) || undefined;
  url.password = "";
  return { connectionString: url.href, password };
}

async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: Error & { code?: string }) => {
    const message = `Cannot read ${path}: ${cause.message}.`;
    throw new FileError(message, { path, code: cause.code ?? "EIO", cause });
  });
}

function needs(given: string, missing: string): UsageError {
  return new UsageError(`${given} needs ${missing} with it: a store has both, or is a folder.`);
}

function optionOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
