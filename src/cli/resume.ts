import { hash } from "node:crypto";
import { readdir, stat, unlink } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { DownloadError, UploadError } from "../client/index.ts";
import { ResumableError } from "./errors.ts";
import type { Environment } from "./settings/settings.ts";

/* Where transfers keep their logs, and what goes on with one that ended early. */

/** Characters of a name made by hashing: enough that no two transfers share one. */
const NAME_DIGITS = 32;
/** Milliseconds that a transfer log is kept without a word added: 60 days. */
const LOG_AGE_MS_MAX = 60 * 24 * 3_600_000;

/** The folder for what outlives a command and is nobody's document, as XDG has it. */
export function stateFolder(env: Environment): string {
  const base = env["XDG_STATE_HOME"] || join(env["HOME"] || homedir(), ".local", "state");
  return join(base, "varve");
}

/** The transfer log of whatever these facts describe; the same facts find it again. */
export function transferLogPath(env: Environment, kind: string, facts: object): string {
  const name = hash("sha256", JSON.stringify(facts), "hex").slice(0, NAME_DIGITS);
  return join(stateFolder(env), `${kind}s`, `${name}.log`);
}

/**
 * Removes transfer logs that nobody has gone on with for long: what they tell of is gone at the
 * service. Quietly, for it is by the way.
 */
export async function forgetOldLogs(folder: string, nowMs: number): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((name) => name.endsWith(".log"))) {
    const path = join(folder, name);
    const { mtimeMs = nowMs } = (await stat(path).catch(() => undefined)) ?? {};
    if (nowMs - mtimeMs > LOG_AGE_MS_MAX) await unlink(path).catch(() => undefined);
  }
}

/** Adds to the failure of a transfer that can be gone on with what goes on. */
export function withResumeCommand(error: unknown, argv = process.argv.slice(2)): unknown {
  const isResumable =
    (error instanceof DownloadError || error instanceof UploadError) && error.isResumable;
  return isResumable ? new ResumableError(error, commandLine(argv)) : error;
}

/** A command line as a shell takes it, without what would begin the transfer anew. */
function commandLine(argv: readonly string[]): string {
  const args = argv.filter((arg) => arg !== "--restart");
  return ["varve", ...args].map(quote).join(" ");
}

function quote(arg: string): string {
  return /^[\w./:@%+=,-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`;
}
