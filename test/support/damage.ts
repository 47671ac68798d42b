import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { decodeHeader, RECORD_HEADER_BYTES, type RecordKind } from "../../src/blocks/record.ts";
import type { StoredRecord } from "../../src/catalog/integrity.ts";
import type { Bucket } from "../../src/segments/bucket.ts";
import type { Placement } from "../../src/segments/segment-store.ts";
import type { ScaledStore, Service } from "../../src/service.ts";
import { standInFor } from "./service.ts";

/* Damage to what a service has on its disk, as rot does it: behind its back. */

/** Everything the catalog points to, and what kind of record each is. */
export async function storedRecords(
  service: Pick<Service, "core" | "dataDirectory">,
): Promise<(StoredRecord & { readonly kind: RecordKind })[]> {
  const { scrubs } = service.core.catalog;
  const records = await scrubs.recordsFrom({ segment: 0, offset: 0 }, 1_000_000);
  return Promise.all(
    records.map(async (record) => {
      const header = await readStored(service, { ...record, length: RECORD_HEADER_BYTES });
      return { ...record, kind: decodeHeader(header).kind };
    }),
  );
}

/** The file of a segment. */
export function segmentPath(
  { dataDirectory }: Pick<Service, "dataDirectory">,
  segment: number,
): string {
  return join(dataDirectory, "segments", `${String(segment).padStart(10, "0")}.segment`);
}

/** Flips one bit of a record: by default in the middle of its payload. Done again, it is undone. */
export async function flipBit(
  service: Pick<Service, "dataDirectory">,
  { segment, offset, length }: StoredRecord,
  at = Math.floor((RECORD_HEADER_BYTES + length) / 2),
): Promise<void> {
  const place = { segment, offset: offset + at, length: 1 };
  const [byte = 0] = await readStored(service, place);
  const scaled = standInFor(service.dataDirectory);
  const changed = Buffer.of(byte ^ 0x10);
  if (scaled) await writeInBucket(scaled, place, changed);
  else await writeAt(segmentPath(service, segment), place.offset, changed);
}

async function readStored(
  service: Pick<Service, "dataDirectory">,
  { segment, offset, length }: Placement,
): Promise<Uint8Array> {
  const scaled = standInFor(service.dataDirectory);
  if (!scaled) return readAt(segmentPath(service, segment), offset, length);
  const bytes = Buffer.alloc(length);
  await inBucket(scaled, (bucket) => bucket.read(nameOf(segment), { offset, length }, bytes));
  return bytes;
}

/** The object is removed and put anew, for the service's own way to write never replaces one. */
async function writeInBucket(
  scaled: ScaledStore,
  { segment, offset }: Placement,
  bytes: Uint8Array,
): Promise<void> {
  await inBucket(scaled, async (bucket) => {
    const object = Buffer.from((await bucket.get(nameOf(segment))) ?? []);
    object.set(bytes, offset);
    await bucket.remove(nameOf(segment));
    assert.equal(await bucket.put(nameOf(segment), object), "written");
  });
}

async function inBucket<T>(scaled: ScaledStore, work: (bucket: Bucket) => Promise<T>): Promise<T> {
  // Only here, for most tests do without: it brings in the client of an engine.
  const { openBucket } = await import("./s3.ts");
  const bucket = await openBucket(scaled.bucket);
  try {
    return await work(bucket);
  } finally {
    bucket.close();
  }
}

function nameOf(segment: number): string {
  return `segments/${String(segment).padStart(10, "0")}.segment`;
}

/** Reads a range of a file. */
export async function readAt(path: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const bytes = Buffer.alloc(length);
    await file.read(bytes, 0, length, offset);
    return bytes;
  } finally {
    await file.close();
  }
}

/** Writes over a range of a file. */
export async function writeAt(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.write(bytes, 0, bytes.length, offset);
  } finally {
    await file.close();
  }
}
