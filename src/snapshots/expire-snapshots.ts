import type { Core } from "./core.ts";

/**
 * Moves pending snapshots whose time is up to `error`, then forgets what they had written.
 * From the first on, a late put is refused.
 */
export async function expireSnapshots(core: Core): Promise<void> {
  await core.catalog.snapshots.expire(core.clock.nowMs(), "Snapshot timed out");
  await core.sealer.forgetSettledWrites();
}
