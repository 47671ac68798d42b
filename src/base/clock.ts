/** Where all time comes from, so that tests can hold it still, move it, or turn it back. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970. May jump in either direction. */
  nowMs(): number;
  /** Milliseconds on a clock that never goes backwards; only differences mean something. */
  monotonicMs(): number;
  /** Resolves after that many milliseconds; rejects with the signal's reason when aborted. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's own clock. A sleeper keeps the process alive until it wakes. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(durationMs, signal) {
    let leftMs = durationMs;
    for (; leftMs > TIMER_MS_MAX; leftMs -= TIMER_MS_MAX) await sleepOnce(TIMER_MS_MAX, signal);
    await sleepOnce(leftMs, signal);
  },
};

/** The longest timer of Node, 24.8 days; a longer one would ring at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

function sleepOnce(durationMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, durationMs);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Formats milliseconds since 1970 as ISO 8601 with milliseconds, in UTC. */
export function formatTimeMs(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/** Waits for the work to settle, well or badly, but no longer than that many milliseconds. */
export async function waitAtMost(
  clock: Clock,
  durationMs: number,
  work: Promise<unknown>,
): Promise<void> {
  const settled = new AbortController();
  const settle = () => settled.abort();
  work.then(settle, settle);
  await clock.sleep(durationMs, settled.signal).catch(() => undefined);
}

/** Runs work every so often, never two at once, until stopped. Errors go to `onError`. */
export function repeat(
  clock: Clock,
  intervalMs: number,
  options: { work: () => Promise<void>; onError: (error: unknown) => void },
): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const running = (async () => {
    while (!stopped.signal.aborted) {
      await clock.sleep(intervalMs, stopped.signal).catch(() => undefined);
      if (stopped.signal.aborted) return;
      await options.work().catch(options.onError);
    }
  })();
  return {
    stop() {
      stopped.abort();
      return running;
    },
  };
}

/** Notices when a clock's wall time has gone another way than its time that never jumps. */
export class ClockWatch {
  readonly #clock: Clock;
  #offsetMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.restart();
  }

  /** By how many milliseconds the wall time was set forward since the last restart. */
  skewMs(): number {
    return this.#clock.nowMs() - this.#clock.monotonicMs() - this.#offsetMs;
  }

  /** Takes the wall time of now for right. */
  restart(): void {
    this.#offsetMs = this.#clock.nowMs() - this.#clock.monotonicMs();
  }
}
