import { setFlagsFromString } from "node:v8";
import type { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { FileError } from "../../client/index.ts";
import type { Service } from "../../service.ts";
import { readConsoleFiles } from "../console-files.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import type { Output } from "../output/output.ts";
import { goOnWhenNobodyReads } from "../output/standard-streams.ts";
import { outputFor } from "../session.ts";
import { formatEmulation } from "../settings/emulation-list.ts";
import { addScaledOptions, refuseSeenPassword } from "../settings/scaled-settings.ts";
import {
  type ServeOptions,
  type ServeSettings,
  serveSettings,
} from "../settings/serve-settings.ts";
import type { GlobalOptions } from "../settings/settings.ts";
import { addSignalOptions } from "../settings/signal-settings.ts";
import { readTlsFiles, type TlsFiles } from "../settings/tls-files.ts";

/** A second signal this soon is the first one come twice, by way of npm or a terminal. */
const SIGNAL_ECHO_MS = 250;
/** Milliseconds that requests under way get to end in. */
const GRACE_MS = 30_000;
/**
 * By how much V8's heap may grow between two collections of all of it (ours). Left to itself, it
 * lets 25 MiB that are needed become 120 before it looks, and keeps them.
 */
const HEAP_GROWTH_PERCENT = 30;

/** Adds `varve serve`. */
export function addServeCommand(program: Command): void {
  const command = program
    .command("serve")
    .summary("run the service")
    .description(
      "Run the service until it is interrupted: on a data folder, or on a bucket and a database, " +
        "which any number of processes serve at once.",
    )
    .option("--data <folder>", "folder that holds everything (default: ./data)")
    .option("--listen <host:port>", "address to listen on (default: 127.0.0.1:7788)")
    .option("--recycle-bin-days <days>", "days that deleted snapshots are kept (default: 0)")
    .option("--scrub-days <days>", "days in which all is read again and hashed (default: 30)")
    .option(
      "--config <file>",
      "JSON with the same in camelCase, and accessKeyId and secretAccessKey",
    )
    .option(
      "--emulate <list>",
      "for tests of clients: aws, quotas, lag[=SECONDS], latency=MS, faults=SHARE[:SEED]",
    )
    .option(
      "--key-encryption-key <source>",
      "what protects encryption keys: file:PATH, env:NAME, aws-kms:ARN (default: in the folder)",
    )
    .option("--previous-key-encryption-key <source>", "what protected them until now")
    .option(
      "--tls-certificate <file>",
      "certificate in PEM, with those that vouch for it: speak TLS",
    )
    .option("--tls-key <file>", "its private key in PEM; SIGHUP reads both again")
    .option("--allow-plain-http", "listen on an address that others can reach, without TLS");
  addSignalOptions(addScaledOptions(command)).action((_options: object, given: Command) => {
    refuseSeenPassword(given, "catalog");
    return serve(given.optsWithGlobals<ServeOptions & GlobalOptions>());
  });
}

async function serve(options: ServeOptions & GlobalOptions): Promise<void> {
  goOnWhenNobodyReads();
  const settings = await serveSettings(options, process.env);
  const signals = listenForSignals();
  try {
    const service = await open(settings, outputFor(options));
    // Not in NODE_OPTIONS, which does not take it; V8 reads it anew at each collection.
    setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
    greet(outputFor(options), service);
    signals.onHangUp(() => readAgain(service, settings));
    await Promise.race([signals.first, service.failed.then(endWithoutClosing)]);
    await closeInTime(service);
  } finally {
    signals.stop();
  }
}

/** What SIGHUP asks for: files that were renewed are read, and files that were renamed are left. */
async function readAgain(service: Service, { tlsFiles, audit }: ServeSettings): Promise<void> {
  if (tlsFiles) await renewCertificate(service, tlsFiles);
  if (!audit) return;
  try {
    await service.reopenFiles();
    process.stderr.write(`varve: The audit log goes on in ${audit.path}.\n`);
  } catch (error) {
    const { message } = error as Error;
    process.stderr.write(`varve: The audit log was not renewed as it should: ${message}\n`);
  }
}

/** Reads certificate and key again; where they are no good, it says so and keeps those it has. */
async function renewCertificate(service: Service, tlsFiles: TlsFiles): Promise<void> {
  try {
    service.renewCertificate(await readTlsFiles(tlsFiles));
    process.stderr.write("varve: New connections see the certificate as it is now.\n");
  } catch (error) {
    const { message } = error as Error;
    process.stderr.write(`varve: The certificate stays as it was: ${message}\n`);
  }
}

/**
 * The disk failed under the catalog: closing it would go on with a file of which nobody knows what
 * the disk holds. What was acknowledged is there at the next start, or it fails and says why.
 */
function endWithoutClosing({ message }: Error): never {
  process.stderr.write(`varve: ${message}.\n`);
  process.exit(EXIT_CODES.file);
}

async function open(settings: ServeSettings, output: Output): Promise<Service> {
  // Brought up only now: no other command needs it.
  const { FirstKeyUnseenError, openService } = await import("../../service.ts");
  try {
    return await openService({ ...settings, consoleFiles: await readConsoleFiles() });
  } catch (error) {
    if (error instanceof Error && error.name === "CatalogFailedError") endWithoutClosing(error);
    if (!(error instanceof FirstKeyUnseenError)) throw inWords(error, settings);
    const { account, accessKeyId, secretAccessKey } = error.firstKey.key;
    const lines = describeFirstKey(error.firstKey, undefined);
    output.result({ account, accessKeyId, secretAccessKey }, lines.join("\n"));
    throw inWords(error.cause, settings);
  }
}

/** The system's reasons why a service cannot start, as sentences. */
function inWords(error: unknown, { dataDirectory: path, host, port }: ServeSettings): unknown {
  if (!(error instanceof Error) || error.name === "StoreInUseError") return error;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === "listen" || syscall === "bind" || syscall === "getaddrinfo") {
    const why = LISTEN_WORDS[code ?? ""] ?? error.message;
    return new Error(`Cannot listen on ${host}:${port}: ${why}. Choose another with --listen.`);
  }
  if (syscall === undefined && code !== "ERR_SQLITE_ERROR") return error;
  const why = FOLDER_WORDS[code ?? ""] ?? error.message;
  const message = `Cannot use the data folder ${path}: ${why}. Choose another with --data.`;
  return new FileError(message, { path, code: code ?? "EIO", cause: error });
}

const LISTEN_WORDS: Readonly<Record<string, string>> = {
  EACCES: "ports below 1024 need special rights",
  EADDRINUSE: "another program listens there",
  EADDRNOTAVAIL: "this machine does not have the address",
  ENOTFOUND: "the name is not known",
};

const FOLDER_WORDS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EEXIST: "it, or a part of its path, is a file",
  ENOSPC: "no space is left on the disk",
  ENOTDIR: "it, or a part of its path, is a file",
  EROFS: "the file system is read-only",
};

/** Tells where the service is, as whom to call it, and what to do first. */
function greet(output: Output, service: Service): void {
  const { endpoint, region, dataDirectory, credentialsPath, firstKey, emulation } = service;
  const { metricsEndpoint } = service;
  const { account, accessKeyId, secretAccessKey } = firstKey.key;
  const isMinted = firstKey.origin === "minted";
  const facts = {
    endpoint,
    region,
    dataDirectory,
    account,
    accessKeyId,
    credentialsPath,
    metricsEndpoint,
    emulation,
  };
  const lines = [
    `Varve listens on   ${endpoint}`,
    `${/^s3:/.test(dataDirectory) ? "Store              " : "Data folder        "}${dataDirectory}`,
    `Web console        ${endpoint}/console`,
    ...(metricsEndpoint ? [`Metrics            ${metricsEndpoint}`] : []),
    ...(emulation ? [`Emulates           ${formatEmulation(emulation)}`] : []),
    ...describeFirstKey(firstKey, credentialsPath),
    "",
    "Try next:",
    ...tryNext(service).map((line) => `  ${line}`),
  ];
  output.result(isMinted ? { ...facts, secretAccessKey } : facts, lines.join("\n"));
}

function describeFirstKey(
  { key, origin }: Service["firstKey"],
  credentialsPath: string | undefined,
) {
  const isMinted = origin === "minted";
  return [
    `Account            ${key.account}`,
    `Access key id      ${key.accessKeyId}`,
    ...(isMinted ? [`Secret access key  ${key.secretAccessKey}`] : []),
    ...(isMinted ? [`                   shown this once; ${whereKept(credentialsPath)}`] : []),
  ];
}

function whereKept(credentialsPath: string | undefined): string {
  return credentialsPath === undefined ? "keep it well" : `it is stored in ${credentialsPath}`;
}

/** Three lines to paste into another terminal. */
function tryNext({ credentialsPath, endpoint, region }: Service): string[] {
  // In a checkout the code runs as TypeScript, and nobody has put the command on the path.
  const varve = import.meta.url.endsWith(".ts") ? "./bin/varve" : "varve";
  // A key pair that was given is kept by whoever gave it, and set there already.
  const keys = credentialsPath && `AWS_SHARED_CREDENTIALS_FILE=${shellQuote(credentialsPath)} `;
  return [
    // Version 1 of the AWS CLI knows only the second name of the region.
    `export ${keys ?? ""}AWS_ENDPOINT_URL=${endpoint} AWS_REGION=${region} ` +
      `AWS_DEFAULT_REGION=${region}`,
    "aws ebs start-snapshot --volume-size 1",
    `${varve} upload IMAGE`,
  ];
}

function shellQuote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

interface Signals {
  /** Resolves with the first signal to stop. */
  readonly first: Promise<void>;
  /** From now on a SIGHUP has this done. Until then it does nothing; it never ends the process. */
  onHangUp(work: () => Promise<void>): void;
  stop(): void;
}

/** Waits for the signal to stop; a second one ends the process at once. */
function listenForSignals(): Signals {
  const { promise, resolve } = Promise.withResolvers<void>();
  let firstMs: number | undefined;
  const onSignal = () => {
    const nowMs = systemClock.monotonicMs();
    if (firstMs !== undefined && nowMs - firstMs > SIGNAL_ECHO_MS) {
      process.exit(EXIT_CODES.interrupted);
    }
    firstMs ??= nowMs;
    resolve();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  let work = async () => {};
  // From the beginning: whoever renews certificates or renames logs may do so at any moment.
  const onHangUp = () => void work();
  process.on("SIGHUP", onHangUp);
  return {
    first: promise,
    onHangUp(asked) {
      work = asked;
    },
    stop() {
      process.off("SIGHUP", onHangUp);
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}

async function closeInTime(service: Service): Promise<void> {
  const closed = new AbortController();
  const closing = service.close().finally(() => closed.abort());
  const tooLate = systemClock.sleep(GRACE_MS, closed.signal).then(
    () => {
      // Nothing acknowledged is lost by this, and the loop would go on for whoever holds it.
      process.stderr.write(`varve: Cut off what did not end within ${GRACE_MS / 1000} s.\n`);
      process.exit(EXIT_CODES.failure);
    },
    () => undefined,
  );
  await Promise.race([closing, tooLate]);
  await closing;
}
