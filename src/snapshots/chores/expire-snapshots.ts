import { nextTurn } from "../../base/next-turn.ts";
import { SEAL_PAGE_COUNT } from "../../model/limits.ts";
import type { Core } from "../core.ts";

/** Pages forgotten before other chores, and the end of the service, get their turn. */
const PAGES_A_RUN_MAX = 100;

/**
 * Moves pending snapshots whose time is up, `lateByMs` ago at least, to `error`; from then on a
 * late put is refused.
 */
export async function expireSnapshots(core: Core, lateByMs = 0): Promise<void> {
  await core.catalog.snapshots.expire(core.clock.nowMs() - lateByMs, "Snapshot timed out");
}

/**
 * Forgets writes of snapshots that are completed, in error or deleted: some pages of them, each a
 * transaction of its own, so that puts get in between. The next run goes on.
 */
export async function forgetSettledWrites(core: Core): Promise<void> {
  for (let page = 0; page < PAGES_A_RUN_MAX; page++) {
    if ((await core.catalog.blocks.forgetSettledWrites(SEAL_PAGE_COUNT)) === 0) return;
    await nextTurn();
  }
}
