import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { systemClock } from "../../src/base/clock.ts";
import type { FuzzTargetName } from "./_fuzz-targets.ts";

/** What a thread has to do. */
export interface FuzzJob {
  readonly name: FuzzTargetName;
  readonly seed: number;
  /** Runs, and seconds, after which it ends, whatever comes first. */
  readonly count: number;
  readonly seconds: number;
  /** Two 32-bit numbers: runs begun, and bytes of the input now being run. */
  readonly progress: SharedArrayBuffer;
  readonly input: SharedArrayBuffer;
}

/** What came of it. */
export interface FuzzOutcome {
  readonly done: number;
  /** Inputs that were not refused. */
  readonly taken: number;
  /** What is wrong, with the input; undefined for nothing. */
  readonly finding: string | undefined;
}

const INPUT_BYTES = 128 * 1024;
/** A thread whose run does not end in this time is given up; far longer than any that hangs. */
const STUCK_MS = 30_000;

/** Runs one target in a thread. */
export async function fuzzTarget(
  job: Omit<FuzzJob, "progress" | "input">,
): Promise<FuzzOutcome & { readonly seconds: number }> {
  const [progress, input] = [new SharedArrayBuffer(8), new SharedArrayBuffer(INPUT_BYTES)];
  const startMs = systemClock.monotonicMs();
  const workerData: FuzzJob = { ...job, progress, input };
  const worker = new Worker(join(import.meta.dirname, "fuzzer.ts"), { workerData });
  const runs = new Int32Array(progress);
  const shown = () => Buffer.from(input).subarray(0, runs[1]).toString("base64");
  const stopped = new AbortController();
  const ended = new Promise<FuzzOutcome>((resolve) => {
    const failed = (text: string) =>
      resolve({ done: runs[0] ?? 0, taken: 0, finding: `${text}\ninput in base64: ${shown()}` });
    worker.once("message", resolve);
    worker.once("error", (error) => failed(`uncaught: ${error}`));
    worker.once("exit", (code) => failed(`the thread ended with ${code}`));
    void watchProgress(runs, stopped.signal).then((isStuck) => {
      if (isStuck) failed(`a run that has not ended after ${STUCK_MS} ms`);
    });
  });
  const outcome = await ended;
  stopped.abort();
  await worker.terminate();
  return { ...outcome, seconds: (systemClock.monotonicMs() - startMs) / 1_000 };
}

/** Resolves to true when no new run begins for too long; to false when it is stopped. */
async function watchProgress(runs: Int32Array, signal: AbortSignal): Promise<boolean> {
  let [last, sinceMs] = [-1, systemClock.monotonicMs()];
  for (;;) {
    await systemClock.sleep(1_000, signal).catch(() => undefined);
    if (signal.aborted) return false;
    const now = Atomics.load(runs, 0);
    if (now !== last) [last, sinceMs] = [now, systemClock.monotonicMs()];
    else if (systemClock.monotonicMs() - sinceMs > STUCK_MS) return true;
  }
}
