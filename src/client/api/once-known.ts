import type { Client } from "../call/client.ts";
import { isSnapshotNotFound } from "../errors.ts";

/** How long AWS may say of a snapshot just started or completed that it does not exist. */
export const UNKNOWN_MS_MAX = 120_000;
const POLL_MS = 1_000;

/** How long to try. */
export interface OnceKnownOptions {
  /** Monotonic; when "it does not exist" is believed. */
  readonly endMs: number;
  readonly signal: AbortSignal | undefined;
  /** Hears that it is tried again. */
  readonly onUnknown?: (() => void) | undefined;
}

/**
 * Does something with a snapshot that is known to exist, again and again while the service says
 * that it does not: AWS takes a while to know everywhere of what was just begun or completed.
 */
export async function onceKnown<T>(
  { clock }: Client,
  until: OnceKnownOptions,
  work: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isSnapshotNotFound(error) || clock.monotonicMs() > until.endMs) throw error;
      until.onUnknown?.();
      await clock.sleep(POLL_MS, until.signal);
    }
  }
}
