import type { ServerResponse } from "node:http";
import type { Clock } from "../../base/clock.ts";

/** Waits that many milliseconds, or until the client has left. */
export async function sleepWhileHeard(
  clock: Clock,
  durationMs: number,
  res: ServerResponse,
): Promise<void> {
  if (res.closed || res.destroyed) return;
  const left = new AbortController();
  const leave = () => left.abort();
  res.once("close", leave);
  try {
    await clock.sleep(durationMs, left.signal).catch(() => undefined);
  } finally {
    res.off("close", leave);
  }
}
