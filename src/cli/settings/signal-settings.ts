import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { FileError } from "../../client/index.ts";
import type { ServiceConfig, TlsIdentity } from "../../service.ts";
import { UsageError } from "../errors.ts";
import { isLoopback, parseListen } from "./listen-address.ts";
import type { Environment } from "./settings.ts";

/** Options of `varve serve` on what it tells of itself, as given on the command line. */
export interface SignalOptions {
  readonly logLevel?: string;
  readonly accessLog?: boolean;
  readonly audit?: string;
  readonly auditData?: boolean;
  readonly metricsListen?: string;
  readonly metricsTokenFile?: string;
  readonly webhook?: string;
  readonly webhookSecretFile?: string;
}

/** The same in a configuration file, where all of it is text; switches are `"1"` there. */
export const SIGNAL_CONFIG_NAMES = [
  "logLevel",
  "accessLog",
  "audit",
  "auditData",
  "metricsListen",
  "metricsTokenFile",
  "webhook",
  "webhookSecretFile",
] as const;
type SignalFile = Readonly<Partial<Record<(typeof SIGNAL_CONFIG_NAMES)[number], string>>>;

/** What a service is to tell of itself, put together and checked. */
export type SignalSettings = Pick<
  ServiceConfig,
  "logLevel" | "accessLog" | "audit" | "metrics" | "webhook"
>;

/** Bytes of a secret or token at least (ours): fewer could be guessed. */
const SECRET_BYTES_MIN = 16;

/** Adds the options. */
export function addSignalOptions(command: Command): Command {
  return command
    .option("--log-level <level>", "what standard error gets: error, info, silent (default: info)")
    .option("--access-log", "a line in the log for each request that was answered")
    .option("--audit <file>", "note who did what in this file, before it is answered")
    .option("--audit-data", "note calls that read, write or list blocks, too")
    .option("--metrics-listen <host:port>", "answer GET /metrics for Prometheus there")
    .option("--metrics-token-file <file>", "with a token that scrapers have to show")
    .option("--webhook <url>", "post what happens to snapshots, and damaged records, there")
    .option("--webhook-secret-file <file>", "with the secret that deliveries are signed with");
}

/** Puts the settings together: the command line goes before the file. */
export async function signalSettings(
  options: SignalOptions & { readonly allowPlainHttp?: boolean },
  file: SignalFile,
  given: { readonly env: Environment; readonly tls: TlsIdentity | undefined },
): Promise<SignalSettings> {
  const { allowPlainHttp = false } = options;
  const path = options.audit ?? file.audit;
  const withData = options.auditData ?? isOn("auditData", file.auditData);
  if (withData && !path) throw new UsageError("--audit-data needs --audit FILE to note it in.");
  return {
    logLevel: parseLevel(options.logLevel ?? file.logLevel ?? "info"),
    accessLog: options.accessLog ?? isOn("accessLog", file.accessLog),
    audit: path ? { path, withData } : undefined,
    metrics: await metricsFrom(options, file, given),
    webhook: await webhookFrom(options, file, { ...given, allowPlainHttp }),
  };
}

async function metricsFrom(
  options: SignalOptions,
  file: SignalFile,
  { env, tls }: { readonly env: Environment; readonly tls: TlsIdentity | undefined },
): Promise<SignalSettings["metrics"]> {
  const listen = options.metricsListen ?? file.metricsListen;
  const path = options.metricsTokenFile ?? file.metricsTokenFile;
  if (!listen) {
    if (path) throw new UsageError("--metrics-token-file needs --metrics-listen HOST:PORT.");
    return undefined;
  }
  const address = parseListen(listen);
  const token = path ? await readSecret(path) : env["VARVE_METRICS_TOKEN"] || undefined;
  if (isLoopback(address.host)) return { ...address, token };
  if (token === undefined) {
    throw new UsageError(
      `Refusing to tell metrics on ${listen} to everybody: give --metrics-token-file or ` +
        "VARVE_METRICS_TOKEN, or listen on 127.0.0.1.",
    );
  }
  return { ...address, token: checkSecret("VARVE_METRICS_TOKEN", token), tls };
}

async function webhookFrom(
  options: SignalOptions,
  file: SignalFile,
  { env, allowPlainHttp }: { readonly env: Environment; readonly allowPlainHttp: boolean },
): Promise<SignalSettings["webhook"]> {
  const text = options.webhook ?? file.webhook;
  const path = options.webhookSecretFile ?? file.webhookSecretFile;
  if (!text) {
    if (path) throw new UsageError("--webhook-secret-file needs --webhook URL.");
    return undefined;
  }
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new UsageError("--webhook is no address: give one that begins with https://.");
  }
  if (url.username !== "" || url.password !== "") {
    throw new UsageError(
      "--webhook has a user name or a password in it, which lists of processes would show: " +
        "sign deliveries with --webhook-secret-file instead.",
    );
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname.replace(/^\[|\]$/g, ""))) {
    if (!allowPlainHttp) {
      throw new UsageError(
        `Refusing to post to ${url.origin} in plain HTTP: give an https:// address, or add ` +
          "--allow-plain-http.",
      );
    }
  }
  const found = path ? await readSecret(path) : env["VARVE_WEBHOOK_SECRET"] || undefined;
  const secret = found === undefined ? undefined : checkSecret("VARVE_WEBHOOK_SECRET", found);
  return { url: url.href, secret };
}

/** A secret in a file of its own; space around it is none of it. */
async function readSecret(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    const message = `Cannot read the secret in ${path}: ${cause.message}.`;
    throw new FileError(message, { path, code: cause.code ?? "EIO", cause });
  });
  return checkSecret(path, text.trim());
}

/** Never says what it is. */
function checkSecret(where: string, secret: string): string {
  if (Buffer.byteLength(secret) >= SECRET_BYTES_MIN && !/\s/.test(secret)) return secret;
  throw new UsageError(
    `The secret in ${where} has to have ${SECRET_BYTES_MIN} characters or more and no space: ` +
      "openssl rand -hex 32 makes one.",
  );
}

function parseLevel(text: string): NonNullable<ServiceConfig["logLevel"]> {
  if (text === "error" || text === "info" || text === "silent") return text;
  throw new UsageError(`There is no log level '${text}': give error, info or silent.`);
}

function isOn(name: string, text = "0"): boolean {
  if (text === "1" || text === "0") return text === "1";
  throw new UsageError(`The configuration file says '${text}' for '${name}': give "1" or "0".`);
}
