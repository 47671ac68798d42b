import type { AccountId } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Core } from "./core.ts";

/** Snapshots told of on one page. */
const PAGE_COUNT = 1_000;

/** One page of an account's snapshots, in order of id. */
export async function listLineages(
  core: Core,
  account: AccountId,
  afterId: string,
): Promise<{ readonly snapshots: readonly Snapshot[]; readonly nextToken: string | undefined }> {
  const snapshots = await core.catalog.snapshots.page(account, afterId, PAGE_COUNT);
  return {
    snapshots,
    nextToken: snapshots.length === PAGE_COUNT ? snapshots.at(-1)?.id : undefined,
  };
}
