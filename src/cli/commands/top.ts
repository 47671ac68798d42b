import type { Command } from "commander";
import { getStoreStatus, listStoreSamples, type StoreStatus } from "../../client/index.ts";
import { timeSpanArgument } from "../arguments.ts";
import { InterruptedError } from "../errors.ts";
import { printable } from "../output/format.ts";
import { topScreen } from "../output/top-screen.ts";
import { type Session, withSession } from "../session.ts";

/** Milliseconds between two looks, unless told otherwise. */
const INTERVAL_MS_DEFAULT = 2_000;
/** How the store has grown is asked for once in so many milliseconds. */
const SAMPLES_INTERVAL_MS = 60_000;
/** Columns and rows where a terminal does not say how many it has. */
const [COLUMNS_DEFAULT, ROWS_DEFAULT] = [120, 50];
/** Escape codes: another screen and back, to its beginning, to the end of a line, all below. */
const [ENTER, LEAVE] = ["\u001b[?1049h\u001b[?25l", "\u001b[?25h\u001b[?1049l"];
const [HOME, END_LINE, CLEAR_BELOW] = ["\u001b[H", "\u001b[K", "\u001b[J"];

interface TopOptions {
  readonly interval?: number;
  readonly once?: boolean;
}

/** Adds `varve top`. */
export function addTopCommand(program: Command): void {
  program
    .command("top")
    .summary("show what the service does, live")
    .description(
      "Show sizes, growth, throughput, latency, tasks and health of the store, again and again " +
        "until Ctrl-C; once where standard output is no terminal. With the first account's keys.",
    )
    .option("--interval <time>", "time between two looks, as 2s (default: 2s)", timeSpanArgument)
    .option("--once", "look once and end")
    .action((options: TopOptions, command: Command) =>
      withSession(command, (session) => top(session, options)),
    );
}

async function top(session: Session, { interval, once }: TopOptions): Promise<void> {
  const { client, output, signal } = session;
  const isLive = !once && !output.options.json && process.stdout.isTTY;
  if (isLive) return live(session, interval ?? INTERVAL_MS_DEFAULT);
  const status = await getStoreStatus(client, { signal });
  const samples = await listStoreSamples(client, { signal });
  const text = topScreen(status, samples, COLUMNS_DEFAULT).join("\n");
  output.result({ ...status, Samples: samples }, text);
}

/** Draws again and again on a screen of its own, and leaves what was there before as it was. */
async function live({ client, signal }: Session, intervalMs: number): Promise<void> {
  const clock = client.clock;
  let [status, samples]: [StoreStatus | undefined, Awaited<ReturnType<typeof listStoreSamples>>] = [
    // What cannot be had at first is a failure; later it is waited for.
    await getStoreStatus(client, { signal }),
    [],
  ];
  let samplesMs = Number.NEGATIVE_INFINITY;
  let trouble = "";
  process.stdout.write(ENTER);
  try {
    while (!signal.aborted) {
      if (status) draw(topScreen(status, samples, columns()), trouble);
      await clock.sleep(intervalMs, signal);
      try {
        if (clock.monotonicMs() - samplesMs > SAMPLES_INTERVAL_MS) {
          samples = await listStoreSamples(client, { signal });
          samplesMs = clock.monotonicMs();
        }
        status = await getStoreStatus(client, { signal });
        trouble = "";
      } catch (error) {
        signal.throwIfAborted();
        trouble = `Not reached since the time above: ${printable((error as Error).message)}`;
      }
    }
  } catch (error) {
    // Ctrl-C is how it is left.
    if (!(error instanceof InterruptedError)) throw error;
  } finally {
    process.stdout.write(LEAVE);
  }
}

function columns(): number {
  return process.stdout.columns || COLUMNS_DEFAULT;
}

function draw(lines: readonly string[], trouble: string): void {
  const rows = process.stdout.rows || ROWS_DEFAULT;
  const shown = [...lines, "", trouble].slice(0, Math.max(1, rows - 1));
  const text = shown.map((line) => `${line}${END_LINE}`).join("\n");
  process.stdout.write(`${HOME}${text}${CLEAR_BELOW}`);
}
