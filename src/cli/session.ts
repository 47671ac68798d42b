import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import { type Client, createClient, type RetryEvent, settingsFromAws } from "../client/index.ts";
import { InterruptedError, UsageError } from "./errors.ts";
import { printable } from "./output/format.ts";
import { Output } from "./output/output.ts";
import type { GlobalOptions } from "./settings/settings.ts";

/** What a command that talks to the service works with. */
export interface Session {
  readonly client: Client;
  readonly output: Output;
  /** Aborts when somebody presses Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Milliseconds between two notes that a call is repeated. */
const RETRY_NOTE_MS = 1_000;

/** Runs a command with a client, which is closed afterwards, and lets Ctrl-C end it cleanly. */
export async function withSession(
  command: Command,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>();
  const output = outputFor(options);
  const client = await openClient(options, output);
  const interruption = new AbortController();
  const interrupt = () => interruption.abort(new InterruptedError());
  // Only once: a second Ctrl-C ends the process the hard way.
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  try {
    await work({ client, output, signal: interruption.signal });
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    client.close();
  }
}

/** The way to standard output and error that the options ask for. */
export function outputFor({ json = false, quiet = false }: GlobalOptions): Output {
  return new Output({ json, quiet });
}

/** Makes a client as options, environment and AWS's files say; its repetitions are noted. */
export async function openClient(options: GlobalOptions, output: Output): Promise<Client> {
  const settings = await settingsFromAws(options);
  try {
    return createClient({ ...settings, onRetry: retryNotes(output) });
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`${error.message}.`);
    throw error;
  }
}

/** Says that calls are being repeated, but not for each of many at once. */
function retryNotes(output: Output): (event: RetryEvent) => void {
  let notedMs = Number.NEGATIVE_INFINITY;
  return ({ operation, attempt, delayMs, error }) => {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - notedMs < RETRY_NOTE_MS) return;
    notedMs = nowMs;
    const [code, message] = [printable(error.code), printable(error.message)];
    const text = `${operation} failed (${code}); trying again.`;
    const event = {
      event: "retry",
      operation,
      attempt,
      delayMs: Math.round(delayMs),
      code,
      message,
    };
    output.note(text, event);
  };
}
