import type { Clock } from "../../base/clock.ts";

/** How long to wait, and what ends the waiting. */
export interface Patience {
  readonly clock: Clock;
  readonly limitMs: number;
  readonly signal: AbortSignal | undefined;
  /** What to throw when it took too long. */
  readonly late: () => Error;
}

/** Answers what the work does; rejects when that takes too long, or the signal aborts. */
export async function inTime<T>(work: Promise<T>, patience: Patience): Promise<T> {
  const { clock, limitMs, signal, late } = patience;
  signal?.throwIfAborted();
  const waiting = new AbortController();
  const stop = () => waiting.abort(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  const limit = clock.sleep(limitMs, waiting.signal).then(() => {
    throw late();
  });
  limit.catch(() => undefined);
  try {
    return await Promise.race([work, limit]);
  } finally {
    signal?.removeEventListener("abort", stop);
    waiting.abort();
  }
}
