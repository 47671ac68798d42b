import { nextTurn } from "../base/next-turn.ts";
import { blockCountOf } from "../model/geometry.ts";
import type { AccountId } from "../model/ids.ts";
import { type Core, readable } from "./core.ts";
import { cutPage, openPage, type PageInput } from "./paging.ts";

/** Parameters of ListSnapshotBlocks. */
export interface ListSnapshotBlocksInput extends PageInput {
  readonly snapshotId: string;
}

/** One page of a snapshot's blocks, ascending. */
export interface SnapshotBlocksPage {
  readonly blocks: readonly { readonly blockIndex: number; readonly blockToken: string }[];
  readonly expiryTimeMs: number;
  readonly nextToken: string | undefined;
  readonly volumeSizeGib: number;
}

/** Lists the blocks of a completed snapshot, its own and inherited, with a token for each. */
export async function listSnapshotBlocks(
  core: Core,
  account: AccountId,
  input: ListSnapshotBlocksInput,
): Promise<SnapshotBlocksPage> {
  const snapshot = await readable(core, account, input.snapshotId);
  const snapshotIds = [input.snapshotId];
  const pageScope = { kind: "listPage", snapshotIds } as const;
  const { fromIndex, limit } = openPage(core, pageScope, input);
  const isBeyond = fromIndex >= blockCountOf(snapshot.volumeSizeGib);
  const expiryTimeMs = isBeyond ? core.clock.nowMs() : core.tokens.blockTokenExpiryMs(snapshotIds);
  const maps = core.maps(snapshot.domain);
  const found = isBeyond ? [] : await maps.indexes(snapshot.root, fromIndex, limit + 1);
  const page = cutPage(core, pageScope, { found, limit, indexOf: (blockIndex) => blockIndex });
  await (input.rest ?? nextTurn)();
  const tokens = core.tokens.mint({ kind: "block", snapshotIds }, page.entries);
  return {
    blocks: page.entries.map((blockIndex, i) => ({ blockIndex, blockToken: tokens[i] as string })),
    expiryTimeMs,
    nextToken: page.nextToken,
    volumeSizeGib: snapshot.volumeSizeGib,
  };
}
