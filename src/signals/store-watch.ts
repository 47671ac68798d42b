import type { BlockTable, NewLocation, PendingWrite, WriteRefusal } from "../catalog/catalog.ts";
import { ZERO_BLOCK_NAME } from "../model/digest.ts";
import type { SegmentStore } from "../segments/segment-store.ts";

/** What one commit made durable. */
export interface CommittedBatch {
  /** Blocks written to snapshots, whether their contents were new or not. */
  readonly writeCount: number;
  /** Of these, blocks of zeros, which are not stored. */
  readonly zeroCount: number;
  /** Of these, blocks whose contents were stored already. */
  readonly duplicateCount: number;
  /** Records stored anew: blocks, nodes and manifests. */
  readonly recordCount: number;
  /** Bytes of these, as they lie in segments. */
  readonly recordBytes: number;
}

/** Hears of what the store does. Must not throw. */
export interface StoreWatch {
  /** Around an append to a segment. */
  append<T>(
    batch: { readonly recordCount: number; readonly sizeBytes: number },
    work: () => Promise<T>,
  ): Promise<T>;
  /** Around a commit to the catalog. */
  commit<T>(changeCount: number, work: () => Promise<T>): Promise<T>;
  /** After a commit. */
  committed(batch: CommittedBatch, writes: readonly PendingWrite[]): void;
}

/** Segments whose appends are watched. */
export function watchedSegments(segments: SegmentStore, watch: StoreWatch): SegmentStore {
  return {
    append(batch, purpose) {
      let sizeBytes = 0;
      for (const entry of batch) for (const piece of entry) sizeBytes += piece.length;
      const facts = { recordCount: batch.length, sizeBytes };
      return watch.append(facts, () => segments.append(batch, purpose));
    },
    read: (placement, buffer) => segments.read(placement, buffer),
    list: () => segments.list(),
    remove: (segment) => segments.remove(segment),
    close: () => segments.close(),
  };
}

/** A block table whose commits are watched. */
export function watchedBlocks(table: BlockTable, watch: StoreWatch): BlockTable {
  return {
    async commit(locations, writes) {
      const work = () => table.commit(locations, writes);
      const refusals = await watch.commit(locations.length + writes.length, work);
      watch.committed(...summary(locations, writes, refusals));
      return refusals;
    },
    term: () => table.term(),
    locate: (domain, name) => table.locate(domain, name),
    locateAll: (domain, names) => table.locateAll(domain, names),
    pendingWrites: (id, fromIndex, limit) => table.pendingWrites(id, fromIndex, limit),
    forgetSettledWrites: (limit) => table.forgetSettledWrites(limit),
    damaged: (limit) => table.damaged(limit),
    isDamaged: (domain, name) => table.isDamaged(domain, name),
    addDamaged: (record) => table.addDamaged(record),
    removeDamaged: (domain, name) => table.removeDamaged(domain, name),
  };
}

function summary(
  locations: readonly NewLocation[],
  writes: readonly PendingWrite[],
  refusals: readonly (WriteRefusal | undefined)[],
): [CommittedBatch, PendingWrite[]] {
  const taken = writes.filter((_, i) => refusals[i] === undefined);
  // What is only moved is not stored anew.
  const fresh = locations.filter(({ movedFrom }) => movedFrom === undefined);
  const names = new Set(fresh.map(({ name }) => name));
  let [zeroCount, duplicateCount] = [0, 0];
  for (const { name } of taken) {
    if (name === ZERO_BLOCK_NAME) zeroCount += 1;
    // The first write of new contents is what they came with; further ones are duplicates.
    else if (!names.delete(name)) duplicateCount += 1;
  }
  let recordBytes = 0;
  for (const { length } of fresh) recordBytes += length;
  const counts = { writeCount: taken.length, zeroCount, duplicateCount };
  return [{ ...counts, recordCount: fresh.length, recordBytes }, taken];
}
