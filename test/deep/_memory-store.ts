import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Catalog } from "../../src/catalog/catalog.ts";
import { openSqliteCatalog } from "../../src/catalog/sqlite/sqlite-catalog.ts";
import type { SegmentStore } from "../../src/segments/segment-store.ts";
import { MemorySegments } from "./_memory-segments.ts";

/** On a memory file system, where there is one, syncing costs nothing. */
const FOLDER = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** What a core is composed on. */
export interface Store {
  readonly catalog: Catalog;
  readonly segments: SegmentStore;
}

/** Does something with a store of its own that is gone afterwards: the catalog, small segments. */
export async function withMemoryStore(
  segmentSizeBytesMax: number,
  work: (store: Store) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(FOLDER, "varve-test-"));
  const catalog = openSqliteCatalog(join(directory, "catalog.sqlite"));
  try {
    await work({ catalog, segments: new MemorySegments(segmentSizeBytesMax) });
  } finally {
    await catalog.close();
    await rm(directory, { recursive: true });
  }
}
