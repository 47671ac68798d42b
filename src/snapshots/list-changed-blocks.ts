import { nextTurn } from "../base/next-turn.ts";
import { invalid, snapshotNotFound } from "../model/errors.ts";
import type { AccountId } from "../model/ids.ts";
import { CHANGED_PAGE_LEAVES_MAX } from "../model/limits.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { type Difference, diffMaps } from "../tree/diff.ts";
import { type Core, checkKeyUsable, findReadable } from "./core.ts";
import { mintNextToken, openPage, type PageInput } from "./paging.ts";

/** Parameters of ListChangedBlocks. */
export interface ListChangedBlocksInput extends PageInput {
  readonly firstSnapshotId: string;
  readonly secondSnapshotId: string;
}

/** A block at which two snapshots differ, with a token for each snapshot that has it. */
export interface ChangedBlock {
  readonly blockIndex: number;
  readonly firstBlockToken: string | undefined;
  readonly secondBlockToken: string | undefined;
}

/** One page of the differences, ascending. */
export interface ChangedBlocksPage {
  readonly changedBlocks: readonly ChangedBlock[];
  /** Undefined, like the next, only where AWS is emulated and there is nothing to tell. */
  readonly expiryTimeMs: number | undefined;
  readonly nextToken: string | undefined;
  /** Of the second snapshot. */
  readonly volumeSizeGib: number | undefined;
}

/**
 * Lists the blocks whose contents differ between two snapshots of one lineage, in either order.
 * Contents decide: a block written again with the same bytes is no change (AWS reports it). A page
 * ends early where its changes lie in very many leaves of the block map; never an empty one, unless
 * there is no more.
 */
export async function listChangedBlocks(
  core: Core,
  account: AccountId,
  input: ListChangedBlocksInput,
): Promise<ChangedBlocksPage> {
  const [first, second] = await findPair(core, account, input);
  const pageScope = { kind: "changedPage", snapshotIds: [first.id, second.id] } as const;
  const { fromIndex, limit } = openPage(core, pageScope, input);
  const roots = { first: first.root, second: second.root };
  const maps = core.maps(first.domain);
  const leavesMax = CHANGED_PAGE_LEAVES_MAX;
  const { found, nextIndex } = await diffMaps(maps, roots, { fromIndex, limit, leavesMax });
  await (input.rest ?? nextTurn)();
  return {
    changedBlocks: mintChanges(core, { first, second }, found),
    expiryTimeMs: core.tokens.blockTokenExpiryMs([first.id, second.id]),
    nextToken: mintNextToken(core, pageScope, nextIndex),
    volumeSizeGib: second.volumeSizeGib,
  };
}

/** Two snapshots of one lineage that the account may read; throws what AWS says of others. */
export async function findPair(
  core: Core,
  account: AccountId,
  input: Pick<ListChangedBlocksInput, "firstSnapshotId" | "secondSnapshotId">,
): Promise<readonly [first: Snapshot, second: Snapshot]> {
  const first = await findReadable(core, account, input.firstSnapshotId);
  const second = await findReadable(core, account, input.secondSnapshotId);
  if (!first || !second) {
    throw snapshotNotFound(input.firstSnapshotId, input.secondSnapshotId);
  }
  for (const snapshot of [first, second]) await checkKeyUsable(core, snapshot);
  if (first.lineage !== second.lineage) {
    const message = `The snapshot ${first.id} and ${second.id} are not related.`;
    throw invalid("UNRELATED_SNAPSHOTS", message);
  }
  return [first, second];
}

/** Adds to each difference the tokens that read it. */
export function mintChanges(
  core: Core,
  { first, second }: { readonly first: Snapshot; readonly second: Snapshot },
  differences: readonly Difference[],
): ChangedBlock[] {
  const mint = (snapshotId: string, those: readonly Difference[]) => {
    const indexes = those.map(({ blockIndex }) => blockIndex);
    // In the order of the differences: each takes the next, if it takes any.
    return core.tokens.mint({ kind: "block", snapshotIds: [snapshotId] }, indexes).values();
  };
  const firstTokens = mint(
    first.id,
    differences.filter(({ inFirst }) => inFirst),
  );
  const secondTokens = mint(
    second.id,
    differences.filter(({ inSecond }) => inSecond),
  );
  return differences.map(({ blockIndex, inFirst, inSecond }) => ({
    blockIndex,
    firstBlockToken: inFirst ? firstTokens.next().value : undefined,
    secondBlockToken: inSecond ? secondTokens.next().value : undefined,
  }));
}
