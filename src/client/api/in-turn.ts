import type { Client } from "../call/client.ts";
import { isThrottling } from "../call/retry.ts";
import { ClientError } from "../errors.ts";

/** Pause after a call has been throttled in all its attempts. */
const PAUSE_MS = 1_000;

/**
 * Sends what a service carries out for a few at a time, again and again as long as all that it says
 * is that the turn has not come: others go before, and only the signal ends the wait for them.
 */
export async function inTurn<T>(
  { clock }: Client,
  send: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof ClientError) || !isThrottling(error)) throw error;
    }
    await clock.sleep(PAUSE_MS, signal);
  }
}
