import { readFile } from "node:fs/promises";
import { FileError } from "../../client/index.ts";
import { keyPairFrom } from "../../client/settings/aws-settings.ts";
import { LISTEN_ADDRESS_DEFAULT, REGION_DEFAULT } from "../../model/defaults.ts";
import {
  COLLECT_MINUTES_DEFAULT,
  COLLECT_MINUTES_MAX,
  RECYCLE_BIN_DAYS_MAX,
  SCRUB_DAYS_DEFAULT,
  SCRUB_DAYS_MAX,
  TOKEN_SECRET_DAYS_DEFAULT,
  TOKEN_SECRET_DAYS_MAX,
} from "../../model/limits.ts";
import type {
  EmulationConfig,
  KeyEncryptionKeySource,
  ScaledStore,
  TlsIdentity,
} from "../../service.ts";
import { UsageError } from "../errors.ts";
import { parseEmulation } from "./emulation-list.ts";
import { readKeyEncryptionKey } from "./key-encryption-key.ts";
import { isLoopback, parseListen } from "./listen-address.ts";
import {
  keyNeeded,
  ownKeyPair,
  SCALED_NAMES,
  type ScaledOptions,
  scaledOptionsOf,
  scaledSettings,
} from "./scaled-settings.ts";
import { type Environment, regionGiven } from "./settings.ts";
import {
  SIGNAL_CONFIG_NAMES,
  type SignalOptions,
  type SignalSettings,
  signalSettings,
} from "./signal-settings.ts";
import { readTlsFiles, type TlsFiles, tlsFilesOf } from "./tls-files.ts";

/** Options of `varve serve`, as given on the command line. */
export interface ServeOptions extends ScaledOptions, SignalOptions {
  readonly data?: string;
  readonly listen?: string;
  readonly region?: string;
  readonly config?: string;
  readonly allowPlainHttp?: boolean;
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  readonly recycleBinDays?: string;
  readonly scrubDays?: string;
  readonly emulate?: string;
  readonly keyEncryptionKey?: string;
  readonly previousKeyEncryptionKey?: string;
}

/** Everything `varve serve` needs to know, put together and checked. */
export interface ServeSettings extends SignalSettings {
  readonly dataDirectory: string;
  /** The engines that hold the store instead of the folder. */
  readonly scaled?: ScaledStore;
  readonly host: string;
  readonly port: number;
  readonly region: string;
  /** The files of certificate and key; undefined for plain HTTP. */
  readonly tlsFiles: TlsFiles | undefined;
  readonly tls: TlsIdentity | undefined;
  /** 0 for no recycle bin. */
  readonly recycleBinDays: number;
  /** Minutes between two collections of garbage; 0 for none by itself. */
  readonly collectMinutes: number;
  /** 0 for no scrub but those asked for. */
  readonly scrubDays: number;
  /** Days after which tokens are minted with new secrets; 0 for never by itself. */
  readonly tokenSecretDays: number;
  /** What of AWS's quotas, delays and faults to emulate; undefined for nothing. */
  readonly emulation: EmulationConfig | undefined;
  readonly keyPair: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  /** Undefined for the one that is kept in the data folder. */
  readonly keyEncryptionKey: KeyEncryptionKeySource | undefined;
  readonly previousKeyEncryptionKey: KeyEncryptionKeySource | undefined;
}

const DATA_DEFAULT = "./data";
/** What a configuration file may say; all of it is text. */
const CONFIG_NAMES = [
  "data",
  "listen",
  "region",
  "recycleBinDays",
  "collectMinutes",
  "scrubDays",
  "tokenSecretDays",
  "emulate",
  "tlsCertificate",
  "tlsKey",
  "keyEncryptionKey",
  "previousKeyEncryptionKey",
  "accessKeyId",
  "secretAccessKey",
  ...SIGNAL_CONFIG_NAMES,
  ...SCALED_NAMES,
] as const;
type ConfigFile = Readonly<Partial<Record<(typeof CONFIG_NAMES)[number], string>>>;

/**
 * Puts the settings together: the options, which have the environment's words where the command
 * line has none (`TwinnedCommand`), go before the file. Of the environment only what AWS's tools
 * read is looked at here, and what a key-encryption key names.
 */
export async function serveSettings(
  options: ServeOptions,
  env: Environment,
): Promise<ServeSettings> {
  const path = options.config;
  const file = path === undefined ? {} : await readConfig(path);
  const keyEncryptionKey = await keyFrom(options.keyEncryptionKey ?? file.keyEncryptionKey, env);
  const listen = options.listen ?? (file.listen || LISTEN_ADDRESS_DEFAULT);
  const { host, port } = parseListen(listen);
  const tlsFiles = tlsFilesOf({
    certificate: options.tlsCertificate ?? file.tlsCertificate,
    key: options.tlsKey ?? file.tlsKey,
  });
  const isPlain = tlsFiles === undefined;
  const scaled = await scaledSettings(scaledOptionsOf({ ...file, ...options }), env);
  if (isPlain && !isLoopback(host) && !options.allowPlainHttp) throw plainHttpRefused(listen);
  if (scaled && !keyEncryptionKey) throw keyNeeded();
  const tls = tlsFiles && (await readTlsFiles(tlsFiles));
  return {
    ...(scaled && { scaled }),
    dataDirectory: options.data ?? (file.data || DATA_DEFAULT),
    host,
    port,
    region: regionGiven(options, env) ?? file.region ?? REGION_DEFAULT,
    tlsFiles,
    tls,
    recycleBinDays: parseDays(options.recycleBinDays ?? file.recycleBinDays ?? "0"),
    collectMinutes: parseMinutes(file.collectMinutes ?? String(COLLECT_MINUTES_DEFAULT)),
    scrubDays: parseScrubDays(options.scrubDays ?? file.scrubDays ?? `${SCRUB_DAYS_DEFAULT}`),
    tokenSecretDays: parseSecretDays(file.tokenSecretDays ?? `${TOKEN_SECRET_DAYS_DEFAULT}`),
    emulation: parseEmulation(options.emulate ?? file.emulate ?? ""),
    keyPair: ownKeyPair(env) ?? (scaled ? undefined : keyPairFrom(env)) ?? keyPairOf(path, file),
    keyEncryptionKey,
    previousKeyEncryptionKey: await keyFrom(
      options.previousKeyEncryptionKey ?? file.previousKeyEncryptionKey,
      env,
    ),
    ...(await signalSettings(options, file, { env, tls })),
  };
}

async function keyFrom(text: string | undefined, env: Environment) {
  return text ? readKeyEncryptionKey(text, env) : undefined;
}

async function readConfig(path: string): Promise<ConfigFile> {
  const text = await readFile(path, "utf8").catch((cause: Error & { code?: string }) => {
    const message = `Cannot read the configuration file ${path}: ${cause.message}.`;
    throw new FileError(message, { path, code: cause.code ?? "EIO", cause });
  });
  const config = parseObject(path, text);
  const unknown = Object.keys(config).find((name) => !CONFIG_NAMES.some((known) => known === name));
  if (unknown !== undefined) {
    const known = CONFIG_NAMES.join(", ");
    throw new UsageError(`The configuration file ${path} says '${unknown}'; known are: ${known}.`);
  }
  const wrong = Object.keys(config).find((name) => typeof config[name] !== "string");
  if (wrong === undefined) return config as ConfigFile;
  throw new UsageError(`The configuration file ${path} needs a text in quotes for '${wrong}'.`);
}

function parseObject(path: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Told below, together with JSON of another kind.
  }
  throw new UsageError(`The configuration file ${path} is not a JSON object.`);
}

function keyPairOf(
  path: string | undefined,
  { accessKeyId, secretAccessKey }: ConfigFile,
): ServeSettings["keyPair"] {
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey };
  if (!accessKeyId && !secretAccessKey) return undefined;
  throw new UsageError(
    `The configuration file ${path} gives only one of accessKeyId and secretAccessKey.`,
  );
}

function parseDays(text: string): number {
  const days = /^[0-9]{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (days <= RECYCLE_BIN_DAYS_MAX) return days;
  throw new UsageError(
    `Cannot keep deleted snapshots for '${text}' days: give 0 to ${RECYCLE_BIN_DAYS_MAX}.`,
  );
}

function parseMinutes(text: string): number {
  const minutes = /^[0-9]{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (minutes <= COLLECT_MINUTES_MAX) return minutes;
  throw new UsageError(`Cannot collect every '${text}' minutes: give 0 to ${COLLECT_MINUTES_MAX}.`);
}

function parseSecretDays(text: string): number {
  const days = /^[0-9]{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (days <= TOKEN_SECRET_DAYS_MAX) return days;
  throw new UsageError(
    `Cannot replace the secrets of tokens every '${text}' days: ` +
      `give 1 to ${TOKEN_SECRET_DAYS_MAX}, or 0 for never.`,
  );
}

function parseScrubDays(text: string): number {
  const days = /^[0-9]{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (days <= SCRUB_DAYS_MAX) return days;
  throw new UsageError(
    `Cannot read everything again in '${text}' days: give 1 to ${SCRUB_DAYS_MAX}, or 0 for never.`,
  );
}

function plainHttpRefused(listen: string): UsageError {
  return new UsageError(
    `Refusing to listen on ${listen} in plain HTTP: whoever sees the network could read every ` +
      "block. Give --tls-certificate and --tls-key, or put a proxy with TLS in front and listen " +
      "on 127.0.0.1, or add --allow-plain-http.",
  );
}
