import { open } from "node:fs/promises";
import { join } from "node:path";
import { decodeHeader, RECORD_HEADER_BYTES, type RecordKind } from "../../src/blocks/record.ts";
import type { StoredRecord } from "../../src/catalog/integrity.ts";
import type { Service } from "../../src/service.ts";

/* Damage to what a service has on its disk, as rot does it: behind its back. */

/** Everything the catalog points to, and what kind of record each is. */
export async function storedRecords(
  service: Pick<Service, "core" | "dataDirectory">,
): Promise<(StoredRecord & { readonly kind: RecordKind })[]> {
  const { scrubs } = service.core.catalog;
  const records = await scrubs.recordsFrom({ segment: 0, offset: 0 }, 1_000_000);
  return Promise.all(
    records.map(async (record) => {
      const path = segmentPath(service, record.segment);
      const header = await readAt(path, record.offset, RECORD_HEADER_BYTES);
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
  const path = segmentPath(service, segment);
  const bytes = await readAt(path, offset + at, 1);
  await writeAt(path, offset + at, Buffer.of((bytes[0] as number) ^ 0x10));
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
