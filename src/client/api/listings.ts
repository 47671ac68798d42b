import type { Extent } from "../../model/extent.ts";
import { blockCountOf } from "../../model/geometry.ts";
import { VOLUME_SIZE_GIB_MAX } from "../../model/limits.ts";
import type { BlockChecksum } from "../../wire/list-block-digests.ts";
import type { ChangedBlock } from "../../wire/list-changed-blocks.ts";
import type { Block } from "../../wire/list-snapshot-blocks.ts";
import type { PagingMembers } from "../../wire/members.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { ClientError, integrityError } from "../errors.ts";
import {
  listBlockDigests,
  listChangedBlocks,
  listReadableBlocks,
  listSnapshotBlocks,
} from "./ebs-operations.ts";
import { onceReadable } from "./once-known.ts";

/** One page of any listing by block index. */
export interface BlockPage<T> {
  readonly items: readonly T[];
  readonly nextToken: string | undefined;
  /** GiB; 0 where the service does not say, as AWS's on a last page without changes. */
  readonly volumeSizeGib: number;
  /** All block indexes listed are below this. */
  readonly blockCount: number;
}

/** Where a listing begins, and how much comes with each request. */
export interface ListingOptions extends CallOptions {
  /** Block index to begin with; default 0. */
  readonly StartingBlockIndex?: number | undefined;
  /** Blocks a page, 100 to 10,000; default: the service's. */
  readonly MaxResults?: number | undefined;
}

const BLOCK_COUNT_MAX = blockCountOf(VOLUME_SIZE_GIB_MAX);

/** What is walked over. */
interface Walk {
  readonly operation: string;
  readonly client: Client;
  readonly snapshotIds: readonly string[];
}

/** Asks for one page. */
type FetchPage<Page> = (paging: PagingMembers) => Promise<Page>;

/** All blocks of a snapshot, ascending, with the tokens that read them. */
export async function* blocksOf(
  client: Client,
  snapshotId: string,
  options?: ListingOptions,
): AsyncGenerator<Block> {
  for await (const { items } of blockPagesOf(client, snapshotId, options)) yield* items;
}

/** The same page by page; there is always at least one. */
export function blockPagesOf(
  client: Client,
  snapshotId: string,
  options?: ListingOptions,
): AsyncGenerator<BlockPage<Block>> {
  const walk = { operation: "ListSnapshotBlocks", client, snapshotIds: [snapshotId] };
  return pagesOf(walk, options, async (paging) => {
    const response = await listSnapshotBlocks(client, snapshotId, paging, options);
    return pageOf(response.Blocks, response);
  });
}

/** All blocks at which two snapshots differ, ascending. */
export async function* changedBlocksOf(
  client: Client,
  snapshots: { readonly firstSnapshotId: string; readonly secondSnapshotId: string },
  options?: ListingOptions,
): AsyncGenerator<ChangedBlock> {
  for await (const { items } of changedBlockPagesOf(client, snapshots, options)) yield* items;
}

/** The same page by page; there is always at least one. The volume size is the second's. */
export function changedBlockPagesOf(
  client: Client,
  snapshots: { readonly firstSnapshotId: string; readonly secondSnapshotId: string },
  options?: ListingOptions,
): AsyncGenerator<BlockPage<ChangedBlock>> {
  const { firstSnapshotId: FirstSnapshotId, secondSnapshotId } = snapshots;
  const snapshotIds = [FirstSnapshotId, secondSnapshotId];
  const walk = { operation: "ListChangedBlocks", client, snapshotIds };
  return pagesOf(walk, options, async (paging) => {
    const input = { ...paging, FirstSnapshotId };
    const response = await listChangedBlocks(client, secondSnapshotId, input, options);
    // The first snapshot may be the larger one, so the second's size is no bound here.
    return { ...pageOf(response.ChangedBlocks, response), blockCount: BLOCK_COUNT_MAX };
  });
}

/** The checksums of a snapshot's blocks page by page; there is always at least one. */
export function digestPagesOf(
  client: Client,
  snapshotId: string,
  options?: CallOptions,
): AsyncGenerator<BlockPage<BlockChecksum>> {
  const walk = { operation: "ListBlockDigests", client, snapshotIds: [snapshotId] };
  return pagesOf(walk, { signal: options?.signal }, async (paging) => {
    const input = { ...paging, SnapshotId: snapshotId };
    const response = await listBlockDigests(client, input, options);
    return pageOf(response.Blocks, response);
  });
}

/** What is left of a snapshot from a block index on, page by page, and where blocks are lost. */
export function readableBlockPagesOf(
  client: Client,
  from: { readonly snapshotId: string; readonly startingBlockIndex: number },
  options?: CallOptions,
): AsyncGenerator<BlockPage<Block> & { readonly lost: readonly Extent[] }> {
  const { snapshotId: SnapshotId, startingBlockIndex: StartingBlockIndex } = from;
  const walk = { operation: "ListReadableBlocks", client, snapshotIds: [SnapshotId] };
  return pagesOf(walk, { StartingBlockIndex, signal: options?.signal }, async (paging) => {
    const input = { ...paging, SnapshotId };
    const response = await listReadableBlocks(client, input, options);
    const lost = response.LostExtents.map(({ Start, Count }) => ({ start: Start, count: Count }));
    return { ...pageOf(response.Blocks, response), lost };
  });
}

function pageOf<T>(
  items: readonly T[],
  response: { readonly NextToken?: string | null | undefined; readonly VolumeSize: number | null },
): BlockPage<T> {
  const { NextToken } = response;
  const volumeSizeGib = response.VolumeSize ?? 0;
  const blockCount = blockCountOf(volumeSizeGib);
  return { items, nextToken: NextToken || undefined, volumeSizeGib, blockCount };
}

/**
 * Follows the page tokens, and holds the pages to what a caller relies on: block indexes ascend
 * and lie in the volume. A page token that ended while a slow caller worked on its page is
 * replaced by the block index to go on from. The first page is waited for where the
 * snapshot was completed just now.
 */
async function* pagesOf<Page extends BlockPage<{ readonly BlockIndex: number }>>(
  { operation, client, snapshotIds }: Walk,
  { StartingBlockIndex, MaxResults, signal }: ListingOptions = {},
  fetchPage: FetchPage<Page>,
): AsyncGenerator<Page> {
  let nextIndex = StartingBlockIndex ?? 0;
  let nextToken: string | undefined;
  const size = MaxResults === undefined ? {} : { MaxResults };
  const fetchSized: FetchPage<Page> = (paging) => fetchPage({ ...size, ...paging });
  const start = StartingBlockIndex === undefined ? {} : { StartingBlockIndex };
  do {
    const page =
      nextToken === undefined
        ? await onceReadable(client, { snapshotIds, signal }, () => fetchSized(start))
        : await nextPage(fetchSized, nextToken, nextIndex);
    nextIndex = checkOrder(operation, page, nextIndex);
    if (page.nextToken !== undefined && page.nextToken === nextToken) {
      throw integrityError(operation, "The service answers the same page again.");
    }
    nextToken = page.nextToken;
    yield page;
  } while (nextToken !== undefined);
}

async function nextPage<Page>(
  fetchPage: FetchPage<Page>,
  NextToken: string,
  nextIndex: number,
): Promise<Page> {
  try {
    return await fetchPage({ NextToken });
  } catch (error) {
    if (!(error instanceof ClientError) || error.reason !== "INVALID_PAGE_TOKEN") throw error;
    return fetchPage({ StartingBlockIndex: nextIndex });
  }
}

/** The block index after the page's last. */
function checkOrder(
  operation: string,
  { items, blockCount }: BlockPage<{ readonly BlockIndex: number }>,
  fromIndex: number,
): number {
  if (!Array.isArray(items)) throw integrityError(operation, "The service's page has no list.");
  let nextIndex = fromIndex;
  for (const { BlockIndex } of items) {
    if (!(BlockIndex >= nextIndex && BlockIndex < blockCount)) {
      const message = `The service lists block ${BlockIndex} out of order or outside the volume.`;
      throw integrityError(operation, message);
    }
    nextIndex = BlockIndex + 1;
  }
  return nextIndex;
}
