import { forEachConcurrent } from "../../base/concurrency.ts";
import { offsetOf } from "../../model/geometry.ts";
import type { SnapshotDescription } from "../../wire/ec2/describe-snapshots.ts";
import { snapshotsOf } from "../api/ec2-operations.ts";
import { countExclusiveBlocks, findLineages } from "../api/lineages.ts";
import { blocksOf, changedBlocksOf } from "../api/listings.ts";
import { volumeOf } from "../api/snapshot-tags.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { ClientError } from "../errors.ts";

/** Snapshots asked about at once. */
const SNAPSHOTS_AT_ONCE = 4;

/** How large a snapshot is, in bytes of its blocks as they are read; undefined: not known. */
export interface SnapshotSizes {
  /** All its blocks. */
  readonly fullBytes: number | undefined;
  /** What deleting it frees: blocks that no other snapshot of its lineage or volume has. */
  readonly exclusiveBytes: number | undefined;
  /** Blocks written since its parent or, on AWS, since the snapshot of its volume before it. */
  readonly changedBytes: number | undefined;
}

/** Sizes by snapshot id, and what it took to find them. */
export interface FoundSizes {
  readonly sizes: ReadonlyMap<string, SnapshotSizes>;
  /** True where blocks had to be listed: the service does not tell sizes by itself. */
  readonly isByListing: boolean;
  /** Requests that were sent for it, repetitions aside; on AWS, each costs money. */
  readonly requestCount: number;
}

/**
 * Finds the sizes of completed snapshots of the caller's own. A Varve knows them, or counts what
 * is exclusive along the block maps, at a cost that grows with what is exclusive. Of other
 * services the changed blocks between the snapshots of a volume are listed, and counted here.
 */
export async function findSizes(
  client: Client,
  snapshots: readonly SnapshotDescription[],
  options: CallOptions = {},
): Promise<FoundSizes> {
  let requestCount = 0;
  const counting: Client = {
    ...client,
    close: () => client.close(),
    send(call, callOptions) {
      requestCount += 1;
      return client.send(call, callOptions);
    },
  };
  const sizes = new Map<string, SnapshotSizes>();
  const completed = snapshots.filter(({ State }) => State === "completed");
  const lineages = await findLineages(counting, options);
  const neighbours = lineages ? undefined : await findNeighbours(counting, options);
  await forEachConcurrent(completed, SNAPSHOTS_AT_ONCE, async (snapshot) => {
    const { SnapshotId: id, FullSnapshotSizeInBytes: fullBytes } = snapshot;
    const known = lineages?.get(id);
    if (known) {
      sizes.set(id, {
        fullBytes: offsetOf(known.BlockCount),
        exclusiveBytes: offsetOf(await countExclusiveBlocks(counting, id, options)),
        changedBytes: offsetOf(known.WrittenBlockCount),
      });
    } else {
      const counted = await countByListing(counting, neighbours?.get(id), { id, options });
      sizes.set(id, { fullBytes, ...counted });
    }
  });
  return { sizes, isByListing: lineages === undefined, requestCount };
}

/** The snapshots of the same volume just before and just after one. */
interface Neighbours {
  readonly before: string | undefined;
  readonly after: string | undefined;
}

async function findNeighbours(
  client: Client,
  options: CallOptions,
): Promise<Map<string, Neighbours>> {
  const byVolume = new Map<string, SnapshotDescription[]>();
  const own = { OwnerIds: ["self"], MaxResults: 1_000 };
  for await (const snapshot of snapshotsOf(client, own, options)) {
    const volume = volumeOf(snapshot);
    if (volume === undefined || snapshot.State !== "completed") continue;
    byVolume.set(volume, [...(byVolume.get(volume) ?? []), snapshot]);
  }
  const found = new Map<string, Neighbours>();
  for (const group of byVolume.values()) {
    group.sort((a, b) => Date.parse(a.StartTime) - Date.parse(b.StartTime));
    for (const [i, { SnapshotId }] of group.entries()) {
      const [before, after] = [group[i - 1]?.SnapshotId, group[i + 1]?.SnapshotId];
      found.set(SnapshotId, { before, after });
    }
  }
  return found;
}

async function countByListing(
  client: Client,
  neighbours: Neighbours | undefined,
  { id, options }: { readonly id: string; readonly options: CallOptions },
): Promise<Pick<SnapshotSizes, "exclusiveBytes" | "changedBytes">> {
  const unknown = { exclusiveBytes: undefined, changedBytes: undefined };
  // Without a volume it is not known what to compare with.
  if (!neighbours) return unknown;
  const { before, after } = neighbours;
  const own = { snapshotId: id, options };
  try {
    const changed = before === undefined ? allIndexes(client, own) : changedTo(client, before, own);
    const counts = await countBoth(
      changed,
      after === undefined ? undefined : changedFrom(client, after, own),
    );
    return { changedBytes: offsetOf(counts.first), exclusiveBytes: offsetOf(counts.both) };
  } catch (error) {
    // Not related, whatever the volume's id says; AWS answers so for a volume that was replaced.
    if (error instanceof ClientError && error.status === 400) return unknown;
    throw error;
  }
}

interface Own {
  readonly snapshotId: string;
  readonly options: CallOptions;
}

async function* allIndexes(client: Client, { snapshotId, options }: Own) {
  for await (const { BlockIndex } of blocksOf(client, snapshotId, options)) yield BlockIndex;
}

async function* changedTo(client: Client, before: string, { snapshotId, options }: Own) {
  const pair = { firstSnapshotId: before, secondSnapshotId: snapshotId };
  for await (const block of changedBlocksOf(client, pair, options)) {
    if (block.SecondBlockToken) yield block.BlockIndex;
  }
}

async function* changedFrom(client: Client, after: string, { snapshotId, options }: Own) {
  const pair = { firstSnapshotId: snapshotId, secondSnapshotId: after };
  for await (const block of changedBlocksOf(client, pair, options)) {
    if (block.FirstBlockToken) yield block.BlockIndex;
  }
}

/** Counts the numbers of an ascending list, and those that another one has, too. */
async function countBoth(
  first: AsyncGenerator<number>,
  second: AsyncGenerator<number> | undefined,
): Promise<{ readonly first: number; readonly both: number }> {
  let [count, both] = [0, 0];
  let other = await second?.next();
  for await (const index of first) {
    count += 1;
    while (second && other && !other.done && other.value < index) other = await second.next();
    if (!second || (other && !other.done && other.value === index)) both += 1;
  }
  await second?.return(undefined);
  return { first: count, both };
}
