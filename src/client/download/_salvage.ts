import type { Extent } from "../../model/extent.ts";
import { blockCountOf } from "../../model/geometry.ts";
import type { Block } from "../../wire/list-snapshot-blocks.ts";
import { describeSnapshots } from "../api/ec2-operations.ts";
import { type BlockPage, blockPagesOf, readableBlockPagesOf } from "../api/listings.ts";
import { isOperationUnknown } from "../api/unknown-operation.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { ClientError } from "../errors.ts";

/** A page of blocks, and where blocks are lost without a name. */
export interface SalvagePage extends BlockPage<Block> {
  readonly lost: readonly Extent[];
}

/**
 * True for what only the stored bytes can be the reason of, once it has been tried again. Other
 * answers from 500 on tell of a service, or of what it works with, that is away.
 */
export function isDamage(error: unknown): error is ClientError {
  if (!(error instanceof ClientError)) return false;
  return error.kind === "integrity" || (error.kind === "service" && error.status === 500);
}

/**
 * A snapshot's blocks page by page, also past a damaged block map. The usual listing comes first;
 * where it fails, a Varve is asked for what is left, and of another service nothing from there on
 * can be known.
 */
export async function* salvagePagesOf(
  client: Client,
  snapshotId: string,
  options: CallOptions,
): AsyncGenerator<SalvagePage> {
  let nextIndex = 0;
  try {
    for await (const page of blockPagesOf(client, snapshotId, options)) {
      yield { ...page, lost: [] };
      nextIndex = (page.items.at(-1)?.BlockIndex ?? nextIndex - 1) + 1;
    }
  } catch (error) {
    if (!isDamage(error)) throw error;
    yield* remainingPages(client, { snapshotId, nextIndex, error }, options);
  }
}

interface Remainder {
  readonly snapshotId: string;
  readonly nextIndex: number;
  /** Why the listing ended there. */
  readonly error: ClientError;
}

async function* remainingPages(
  client: Client,
  remainder: Remainder,
  options: CallOptions,
): AsyncGenerator<SalvagePage> {
  let { nextIndex } = remainder;
  try {
    const from = { snapshotId: remainder.snapshotId, startingBlockIndex: nextIndex };
    for await (const page of readableBlockPagesOf(client, from, options)) {
      yield page;
      const { start, count } = page.lost.at(-1) ?? { start: 0, count: nextIndex };
      nextIndex = Math.max(start + count, (page.items.at(-1)?.BlockIndex ?? -1) + 1);
    }
  } catch (error) {
    // Not a Varve, or one that cannot go on either.
    if (!isOperationUnknown(error) && !isDamage(error)) throw error;
    const volumeSizeGib = await findVolumeSize(client, remainder, options);
    const blockCount = blockCountOf(volumeSizeGib);
    const lost = [{ start: nextIndex, count: blockCount - nextIndex }];
    yield { items: [], lost, nextToken: undefined, volumeSizeGib, blockCount };
  }
}

async function findVolumeSize(
  client: Client,
  { snapshotId, error }: Remainder,
  options: CallOptions,
): Promise<number> {
  const { Snapshots } = await describeSnapshots(client, { SnapshotIds: [snapshotId] }, options);
  const size = Snapshots[0]?.VolumeSize;
  if (size === undefined) throw error;
  return size;
}
