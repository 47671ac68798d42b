import { hash } from "node:crypto";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { DownloadError, UploadError } from "../client/index.ts";
import { ResumableError } from "./errors.ts";
import type { Environment } from "./settings.ts";

/* Where transfers keep their logs, and what goes on with one that ended early. */

/** Characters of a name made by hashing: enough that no two transfers share one. */
const NAME_DIGITS = 32;

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

/** The transfer log of a download, beside the file that it writes. */
export function logPathBeside(path: string): string {
  const whole = resolve(path);
  return join(dirname(whole), `.${basename(whole)}.varve-log`);
}

/** Adds to the failure of a transfer that can be gone on with what goes on. */
export function withResumeCommand(error: unknown, argv = process.argv.slice(2)): unknown {
  const isResumable =
    (error instanceof DownloadError || error instanceof UploadError) && error.isResumable;
  return isResumable ? new ResumableError(error, commandLine(argv)) : error;
}

/** A command line as a shell takes it, without what would begin the transfer anew. */
export function commandLine(argv: readonly string[]): string {
  const args = argv.filter((arg) => arg !== "--restart");
  return ["varve", ...args].map(quote).join(" ");
}

function quote(arg: string): string {
  return /^[\w./:@%+=,-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`;
}
