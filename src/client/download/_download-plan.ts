import type { Extent } from "../../model/extent.ts";
import type { Block } from "../../wire/list-snapshot-blocks.ts";
import { changedBlocksOf, digestPagesOf } from "../api/listings.ts";
import { isOperationUnknown } from "../api/unknown-operation.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { Peekable } from "../transfer/peekable.ts";
import { blockIndexesOf } from "../transfer/plan-blocks.ts";

/** A block to see to: one of the snapshot, or one that has to read as zeros. */
export interface PlannedDownload {
  readonly blockIndex: number;
  /** Undefined where the snapshot has a hole: what the image has there has to go. */
  readonly token: string | undefined;
  /** Checksum of what the snapshot has there, where the service tells it. */
  readonly checksum?: string | undefined;
  /** True where the image is believed to have it; `sampled` where that is checked. */
  readonly trust?: "believed" | "sampled" | undefined;
}

/** Says what is known of a block before it is received; asked in ascending order. */
export interface Foreknowledge {
  about(blockIndex: number): Promise<Pick<PlannedDownload, "checksum" | "trust">>;
}

/** Of blocks that are believed to be in the image, one in so many is received and compared. */
const SAMPLE_EVERY = 256;
const SAMPLES_MAX = 64;

const nothing: Foreknowledge = { about: async () => ({}) };

/**
 * What can be known of a snapshot's blocks without receiving them: their digests from a Varve, or
 * what changed since the snapshot that the image was restored from. Nothing at a service that
 * tells neither.
 */
export async function foreknowledgeOf(
  client: Client,
  {
    snapshotId,
    baseSnapshotId,
  }: { readonly snapshotId: string; readonly baseSnapshotId: string | undefined },
  options: CallOptions,
): Promise<Foreknowledge> {
  try {
    const pages = digestPagesOf(client, snapshotId, options);
    const first = await pages.next();
    const digests = new Peekable(flatten(first.done ? [] : first.value.items, pages));
    return {
      about: async (blockIndex) => {
        const found = await seek(digests, blockIndex, ({ BlockIndex }) => BlockIndex);
        return { checksum: found?.Checksum };
      },
    };
  } catch (error) {
    if (!isOperationUnknown(error)) throw error;
  }
  return baseSnapshotId === undefined
    ? nothing
    : changesSince(client, { snapshotId, baseSnapshotId }, options);
}

function changesSince(
  client: Client,
  ids: { readonly snapshotId: string; readonly baseSnapshotId: string },
  options: CallOptions,
): Foreknowledge {
  const pair = { firstSnapshotId: ids.baseSnapshotId, secondSnapshotId: ids.snapshotId };
  const changes = new Peekable(changedBlocksOf(client, pair, options));
  let [believed, samples] = [0, 0];
  return {
    async about(blockIndex) {
      if (await seek(changes, blockIndex, ({ BlockIndex }) => BlockIndex)) return {};
      const isSampled = believed % SAMPLE_EVERY === 0 && samples < SAMPLES_MAX;
      believed += 1;
      if (isSampled) samples += 1;
      return { trust: isSampled ? "sampled" : "believed" };
    },
  };
}

async function* flatten<T>(
  first: readonly T[],
  pages: AsyncIterable<{ readonly items: readonly T[] }>,
): AsyncGenerator<T> {
  yield* first;
  for await (const { items } of pages) yield* items;
}

/** The item of that block index, all before it passed over. */
async function seek<T>(
  items: Peekable<T>,
  blockIndex: number,
  indexOf: (item: T) => number,
): Promise<T | undefined> {
  for (;;) {
    const next = await items.peek();
    if (next === undefined || indexOf(next) > blockIndex) return undefined;
    if (indexOf(next) === blockIndex) return next;
    items.take();
  }
}

/** Every block that the snapshot has, or that the image may have, ascending. */
export async function* planDownload(parts: {
  readonly blocks: AsyncIterator<Block>;
  /** Where the image may have anything but zeros. */
  readonly local: AsyncIterable<Extent>;
  readonly foreknowledge: Foreknowledge;
}): AsyncGenerator<PlannedDownload> {
  const blocks = new Peekable(parts.blocks);
  const local = new Peekable(blockIndexesOf(parts.local));
  try {
    for (;;) {
      const block = await blocks.peek();
      const own = await local.peek();
      if (block === undefined && own === undefined) return;
      const blockIndex = Math.min(
        block?.BlockIndex ?? Number.POSITIVE_INFINITY,
        own ?? Number.POSITIVE_INFINITY,
      );
      if (own === blockIndex) local.take();
      if (block?.BlockIndex !== blockIndex) {
        yield { blockIndex, token: undefined };
        continue;
      }
      blocks.take();
      const known = await parts.foreknowledge.about(blockIndex);
      yield { blockIndex, token: block.BlockToken, ...known };
    }
  } finally {
    await local.end();
    await blocks.end();
  }
}
