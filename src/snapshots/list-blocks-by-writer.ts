import { invalid } from "../model/errors.ts";
import type { AccountId } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Core } from "./core.ts";
import {
  type ChangedBlocksPage,
  findPair,
  type ListChangedBlocksInput,
  mintChanges,
} from "./list-changed-blocks.ts";
import { cutPage, openPage } from "./paging.ts";
import { candidatesOf } from "./writer-map.ts";

/**
 * ListChangedBlocks as AWS does it. Who wrote a block decides, not what: one written again with
 * the same bytes is listed. A page is so many candidates, block indexes that either snapshot has,
 * whether they changed or not; so a page may be empty before the last.
 */
export async function listBlocksByWriter(
  core: Core,
  account: AccountId,
  input: ListChangedBlocksInput,
): Promise<ChangedBlocksPage> {
  const [first, second] = await findPair(core, account, input);
  refuseEmpty(first);
  refuseEmpty(second);
  const pair = { first, second };
  const pageScope = { kind: "changedPage", snapshotIds: [first.id, second.id] } as const;
  const { fromIndex, limit } = openPage(core, pageScope, input);
  const page = { fromIndex, limit: limit + 1 };
  const found = await candidatesOf(core.maps(first.domain), pair, page);
  const indexOf = ({ blockIndex }: { blockIndex: number }) => blockIndex;
  const { entries, nextToken } = cutPage(core, pageScope, { found, limit, indexOf });
  const changes = entries.filter(({ isChanged }) => isChanged);
  const isNothing = changes.length === 0 && nextToken === undefined;
  return {
    changedBlocks: mintChanges(core, pair, changes),
    nextToken,
    ...(isNothing
      ? { expiryTimeMs: undefined, volumeSizeGib: undefined }
      : { expiryTimeMs: expiryOf(core, pair, changes), volumeSizeGib: second.volumeSizeGib }),
  };
}

/** AWS says "is empty"; the rest of the words, and the reason, are ours. */
function refuseEmpty({ id, blockCount }: Snapshot): void {
  if (blockCount > 0) return;
  const message = `The snapshot ${id} is empty.`;
  throw invalid("INVALID_SNAPSHOT_ID", message);
}

/** A page without tokens promises them no time. */
function expiryOf(
  core: Core,
  { first, second }: { readonly first: Snapshot; readonly second: Snapshot },
  changes: readonly unknown[],
): number {
  if (changes.length === 0) return core.clock.nowMs();
  return core.tokens.blockTokenExpiryMs([first.id, second.id]);
}
