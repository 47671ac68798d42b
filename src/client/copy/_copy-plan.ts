import { ZERO_BLOCK_CHECKSUM } from "../../model/digest.ts";
import { blocksOf, changedBlocksOf, digestPagesOf } from "../api/listings.ts";
import { isOperationUnknown } from "../api/unknown-operation.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { SnapshotStateError } from "../errors.ts";

/** A block to put at the destination. */
export interface CopiedBlock {
  readonly blockIndex: number;
  /** Reads it at the source; undefined where the snapshot has a hole that its base has not. */
  readonly token: string | undefined;
  /** base64 SHA-256, where it is known before the block is read. */
  readonly checksum: string | undefined;
}

/** What to copy, and from which ends. */
export interface CopyPlanInput {
  readonly source: Client;
  readonly destination: Client;
  readonly snapshotId: string;
  readonly parentSnapshotId: string | undefined;
  readonly baseSnapshotId: string | undefined;
}

/** The blocks in which a copy differs from its parent, ascending; without one, all of them. */
export function planCopy(input: CopyPlanInput, options: CallOptions): AsyncGenerator<CopiedBlock> {
  const { parentSnapshotId, baseSnapshotId } = input;
  if (parentSnapshotId === undefined) return allBlocks(input, options);
  if (baseSnapshotId !== undefined) return changes(input, baseSnapshotId, options);
  return differences(input, parentSnapshotId, options);
}

async function* changes(
  { source, snapshotId: secondSnapshotId }: CopyPlanInput,
  firstSnapshotId: string,
  options: CallOptions,
): AsyncGenerator<CopiedBlock> {
  const pair = { firstSnapshotId, secondSnapshotId };
  for await (const { BlockIndex, SecondBlockToken } of changedBlocksOf(source, pair, options)) {
    const token = SecondBlockToken ?? undefined;
    yield { blockIndex: BlockIndex, token, checksum: token ? undefined : ZERO_BLOCK_CHECKSUM };
  }
}

/** All blocks, with their checksums where the service tells them: zeros need not travel then. */
async function* allBlocks(
  { source, snapshotId }: CopyPlanInput,
  options: CallOptions,
): AsyncGenerator<CopiedBlock> {
  const checksums = await open(checksumsOf(source, snapshotId, options));
  try {
    for await (const { BlockIndex, BlockToken } of blocksOf(source, snapshotId, options)) {
      const checksum = await checksums?.at(BlockIndex);
      yield { blockIndex: BlockIndex, token: BlockToken, checksum };
    }
  } finally {
    await checksums?.end();
  }
}

/** Compares with a parent whose original is gone; for services that both tell checksums. */
async function* differences(
  input: CopyPlanInput,
  parentSnapshotId: string,
  options: CallOptions,
): AsyncGenerator<CopiedBlock> {
  const parent = await open(checksumsOf(input.destination, parentSnapshotId, options));
  if (!parent) {
    const message = `The blocks of the parent ${parentSnapshotId} cannot be compared any more.`;
    throw new SnapshotStateError(message, parentSnapshotId, "completed");
  }
  try {
    for await (const block of allBlocks(input, options)) {
      yield* holesBefore(parent, block.blockIndex);
      const inherited = await parent.at(block.blockIndex);
      if (inherited === undefined || inherited !== block.checksum) yield block;
    }
    yield* holesBefore(parent, Number.POSITIVE_INFINITY);
  } finally {
    await parent.end();
  }
}

/** Where the parent has a block and the snapshot has none, zeros have to be written. */
async function* holesBefore(parent: Checksums, index: number): AsyncGenerator<CopiedBlock> {
  for (;;) {
    const found = await parent.before(index);
    if (!found) return;
    const isZero = found.Checksum === ZERO_BLOCK_CHECKSUM;
    const { BlockIndex: blockIndex } = found;
    if (!isZero) yield { blockIndex, token: undefined, checksum: ZERO_BLOCK_CHECKSUM };
  }
}

interface IndexedChecksum {
  readonly BlockIndex: number;
  readonly Checksum: string;
}

async function* checksumsOf(
  client: Client,
  snapshotId: string,
  options: CallOptions,
): AsyncGenerator<IndexedChecksum> {
  for await (const { items } of digestPagesOf(client, snapshotId, options)) yield* items;
}

/** True where a service lists the checksums of a snapshot's blocks, as ours does. */
export async function listsChecksums(
  client: Client,
  snapshotId: string,
  options: CallOptions,
): Promise<boolean> {
  const checksums = await open(checksumsOf(client, snapshotId, options));
  await checksums?.end();
  return checksums !== undefined;
}

async function open(list: AsyncGenerator<IndexedChecksum>): Promise<Checksums | undefined> {
  try {
    return new Checksums(list, await list.next());
  } catch (error) {
    if (!isOperationUnknown(error)) throw error;
    return undefined;
  }
}

/** An ascending list of checksums that is gone through once. */
class Checksums {
  readonly #list: AsyncGenerator<IndexedChecksum>;
  #next: IteratorResult<IndexedChecksum, undefined>;

  constructor(
    list: AsyncGenerator<IndexedChecksum>,
    first: IteratorResult<IndexedChecksum, undefined>,
  ) {
    this.#list = list;
    this.#next = first;
  }

  /** The checksum at a block index, which must not descend; passes over those before it. */
  async at(blockIndex: number): Promise<string | undefined> {
    while (await this.before(blockIndex));
    if (this.#next.done || this.#next.value.BlockIndex !== blockIndex) return undefined;
    const { Checksum } = this.#next.value;
    this.#next = await this.#list.next();
    return Checksum;
  }

  /** Takes the next one if it lies before a block index. */
  async before(blockIndex: number): Promise<IndexedChecksum | undefined> {
    if (this.#next.done || this.#next.value.BlockIndex >= blockIndex) return undefined;
    const { value } = this.#next;
    this.#next = await this.#list.next();
    return value;
  }

  async end(): Promise<void> {
    await this.#list.return(undefined);
  }
}
