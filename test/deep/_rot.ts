import { copyFile, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StoredRecord } from "../../src/catalog/integrity.ts";
import { openService, type Service } from "../../src/service.ts";
import { readAt, segmentPath, storedRecords, writeAt } from "../support/damage.ts";
import { snapshotOf } from "../support/operations.ts";
import { blockContents, pick } from "../support/property.ts";

/* A small store of several segments, and single faults in it, each of which can be undone. */

/** What a fault changed, and how it is undone. */
export interface Fault {
  readonly kind: string;
  /** Ranges of segments whose bytes are others now. */
  readonly changed: readonly { segment: number; start: number; end: number }[];
  undo(): Promise<void>;
}

/** Blocks of the snapshots in the store, by block index: the number of each one's contents. */
export interface RotStore {
  readonly dataDirectory: string;
  readonly snapshots: readonly {
    readonly id: string;
    readonly blocks: ReadonlyMap<number, number>;
  }[];
}

/** Opens the store; nothing is logged, for damage is what is looked for. */
export function openStore(dataDirectory: string): Promise<Service> {
  return openService({
    dataDirectory,
    host: "127.0.0.1",
    port: 0,
    region: "us-east-1",
    scrubDays: 0,
    log: () => undefined,
  });
}

/** Writes a lineage of three snapshots, each by a process, and so into a segment, of its own. */
export async function makeStore(dataDirectory: string): Promise<RotStore> {
  const snapshots: { id: string; blocks: Map<number, number> }[] = [];
  for (let round = 0; round < 3; round++) {
    const service = await openStore(dataDirectory);
    const parent = snapshots.at(-1);
    // Of five contents, one does not compress.
    const written = new Map<number, number>();
    for (let i = 0; i < 5; i++)
      written.set(i * 300 + round, round * 40 + i * 8 + (i === 2 ? 7 : 1));
    const blocks = new Map([...written].map(([at, contents]) => [at, blockContents(contents)]));
    const tags = [{ Key: "round", Value: String(round) }];
    const input = { ...(parent ? { ParentSnapshotId: parent.id } : {}), Tags: tags };
    const id = await snapshotOf(service, blocks, input);
    snapshots.push({ id, blocks: new Map([...(parent?.blocks ?? []), ...written]) });
    await service.close();
  }
  return { dataDirectory, snapshots };
}

/** One fault in a segment, of a kind and at a place that chance decides. */
export async function damageSegment(
  store: RotStore,
  records: readonly StoredRecord[],
  fraction: () => number,
): Promise<Fault> {
  const record = records[pick(fraction, records.length)] as StoredRecord;
  const path = segmentPath(store, record.segment);
  const { size } = await stat(path);
  const kinds = ["bit flip", "swapped records", "stale copy", "truncated", "zeroed 4 KiB"];
  const kind = kinds[pick(fraction, kinds.length)] as string;
  if (kind === "truncated") {
    const end = record.offset + pick(fraction, record.length);
    const lost = await readAt(path, end, size - end);
    await truncate(path, end);
    const changed = [{ segment: record.segment, start: end, end: size }];
    return { kind, changed, undo: () => writeAt(path, end, lost) };
  }
  if (kind === "bit flip") {
    // Half of them in headers, where the fewest bytes say the most.
    const range = fraction() < 0.5 ? 80 : record.length;
    const at = record.offset + pick(fraction, range);
    const [before = 0] = await readAt(path, at, 1);
    return overwrite(kind, [[record.segment, at, Buffer.of(before ^ (1 << pick(fraction, 8)))]]);
  }
  if (kind === "zeroed 4 KiB") {
    const at = Math.floor((record.offset + pick(fraction, record.length)) / 4_096) * 4_096;
    const length = Math.min(4_096, size - at);
    return overwrite(kind, [[record.segment, at, Buffer.alloc(length)]]);
  }
  const other = records[pick(fraction, records.length)] as StoredRecord;
  const length = Math.min(record.length, other.length);
  const own = await readAt(path, record.offset, length);
  const others = await readAt(segmentPath(store, other.segment), other.offset, length);
  const there = [record.segment, record.offset, others] as const;
  if (kind === "stale copy") return overwrite(kind, [there]);
  return overwrite(kind, [there, [other.segment, other.offset, own]]);

  async function overwrite(
    kind: string,
    writes: readonly (readonly [segment: number, offset: number, bytes: Buffer])[],
  ): Promise<Fault> {
    const olds: Buffer[] = [];
    const changed: { segment: number; start: number; end: number }[] = [];
    for (const [segment, offset, bytes] of writes) {
      const old = await readAt(segmentPath(store, segment), offset, bytes.length);
      olds.push(old);
      changed.push(
        ...differences(old, bytes).map(([start, end]) => {
          return { segment, start: offset + start, end: offset + end };
        }),
      );
      await writeAt(segmentPath(store, segment), offset, bytes);
    }
    const undo = async () => {
      for (const [i, [segment, offset]] of writes.entries()) {
        await writeAt(segmentPath(store, segment), offset, olds[i] as Buffer);
      }
    };
    return { kind, changed, undo };
  }
}

/** Runs of bytes that differ. */
function differences(a: Buffer, b: Buffer): [start: number, end: number][] {
  const runs: [number, number][] = [];
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i]) continue;
    const last = runs.at(-1);
    if (last && last[1] === i) last[1] = i + 1;
    else runs.push([i, i + 1]);
  }
  return runs;
}

/** True when a fault has changed bytes of the record. */
export function isTouched({ changed }: Fault, record: StoredRecord): boolean {
  const end = record.offset + record.length;
  return changed.some(
    (range) => range.segment === record.segment && range.start < end && range.end > record.offset,
  );
}

/** One fault in the catalog's file, which nobody has open; answers its kind. */
export async function damageCatalog(
  { dataDirectory }: RotStore,
  fraction: () => number,
): Promise<{ readonly kind: string; undo(): Promise<void> }> {
  const path = join(dataDirectory, "catalog.sqlite");
  const kept = `${path}.kept`;
  await copyFile(path, kept);
  const bytes = await readFile(path);
  const kinds = [
    "bit flip",
    "bit flip",
    "swapped pages",
    "stale page",
    "truncated",
    "zeroed 4 KiB",
  ];
  const kind = kinds[pick(fraction, kinds.length)] as string;
  const pages = bytes.length / 4_096;
  const [one, two] = [pick(fraction, pages) * 4_096, pick(fraction, pages) * 4_096];
  const first = Buffer.from(bytes.subarray(one, one + 4_096));
  const second = Buffer.from(bytes.subarray(two, two + 4_096));
  if (kind === "bit flip") {
    const at = pick(fraction, bytes.length);
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << pick(fraction, 8)), at);
  } else if (kind === "zeroed 4 KiB") bytes.fill(0, one, one + 4_096);
  else {
    bytes.set(second, one);
    if (kind === "swapped pages") bytes.set(first, two);
  }
  const length = kind === "truncated" ? pick(fraction, bytes.length) : bytes.length;
  await writeFile(path, bytes.subarray(0, length));
  const undo = async () => {
    await copyFile(kept, path);
    for (const name of [`${path}-wal`, `${path}-shm`, `${path}-journal`]) {
      await truncate(name, 0).catch(() => undefined);
    }
  };
  return { kind, undo };
}

/** All records of the store. */
export async function recordsOf(service: Service): Promise<readonly StoredRecord[]> {
  return storedRecords(service);
}
