import { systemRandom } from "../../src/base/random.ts";
import { type Digest, digestFromBytes } from "../../src/model/digest.ts";
import { type AccountId, newSnapshotId, type SnapshotId } from "../../src/model/ids.ts";
import type { Snapshot } from "../../src/model/snapshot.ts";
import type { MapEntry, Root } from "../../src/tree/block-map.ts";
import { randomBytesFrom } from "./blocks.ts";

/** A run of block indexes. */
export type Extent = readonly [start: number, count: number];

const PAGE_COUNT = 10_000;

/** Made-up digests for every block of these extents, page by page. */
export async function* entriesAt(
  name: string,
  extents: readonly Extent[],
): AsyncGenerator<readonly MapEntry[]> {
  for (const [page, indexes] of pagesOf(extents)) {
    const bytes = randomBytesFrom(`${name} ${page}`, 32 * indexes.length);
    yield indexes.map((blockIndex, i) => ({
      blockIndex,
      digest: digestFromBytes(bytes.subarray(i * 32, (i + 1) * 32)) satisfies Digest,
    }));
  }
}

function* pagesOf(extents: readonly Extent[]): Generator<readonly [number, number[]]> {
  let [page, indexes]: [number, number[]] = [0, []];
  for (const [start, count] of extents) {
    for (let index = start; index < start + count; index++) {
      indexes.push(index);
      if (indexes.length < PAGE_COUNT) continue;
      yield [page++, indexes];
      indexes = [];
    }
  }
  if (indexes.length > 0) yield [page, indexes];
}

/** All block indexes of extents. */
export function expand(extents: readonly Extent[]): number[] {
  return extents.flatMap(([start, count]) => Array.from({ length: count }, (_, i) => start + i));
}

/** A snapshot as if it had been completed just now. */
export function completedSnapshot(made: {
  readonly account: AccountId;
  readonly volumeSizeGib: number;
  readonly parent: Snapshot | undefined;
  readonly root: Root;
  readonly addedCount: number;
}): Snapshot {
  const id: SnapshotId = newSnapshotId(systemRandom);
  const { account, parent, addedCount } = made;
  const nowMs = Date.now();
  return {
    id,
    account,
    domain: account,
    state: "completed",
    stateMessage: undefined,
    parent: parent?.id,
    lineage: parent?.lineage ?? id,
    volumeSizeGib: made.volumeSizeGib,
    description: undefined,
    tags: [],
    startTimeMs: nowMs,
    completionTimeMs: nowMs,
    timeoutMinutes: 60,
    expiresAtMs: nowMs + 3_600_000,
    parentRoot: parent?.root,
    parentBlockCount: parent?.blockCount ?? 0,
    root: made.root,
    blockCount: (parent?.blockCount ?? 0) + addedCount,
    writtenBlockCount: addedCount,
    manifest: undefined,
    completion: undefined,
  };
}
