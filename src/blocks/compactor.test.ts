import assert from "node:assert/strict";
import { readdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import type { SegmentTable } from "../catalog/collection.ts";
import { FileSegments } from "../segments/file-segments.ts";
import { RangeMissingError } from "../segments/segment-store.ts";
import type { BlockStore } from "./block-store.ts";
import { Compactor } from "./compactor.ts";

test("segments that a crash left empty, or with part of a header, are given back", async (t) => {
  const directory = join(await temporaryDirectory(t), "segments");
  const options = { directory, segmentSizeBytesMax: 100 };
  const before = await FileSegments.open(options);
  await before.append([[Buffer.from("needed")]]);
  await before.close();
  const name = (segment: number) => `${String(segment).padStart(10, "0")}.segment`;
  await writeFile(join(directory, name(2)), "VARVE");
  await writeFile(join(directory, name(3)), "");
  const segments = await FileSegments.open(options);
  t.after(() => segments.close());
  await segments.append([[Buffer.from("the newest")]]);
  await writeFile(join(directory, name(4)), Buffer.alloc(16));
  await truncate(join(directory, name(4)), 16);
  await segments.append([[Buffer.alloc(200)]]);
  await segments.append([[Buffer.from("newer")]]);
  const table = {
    liveBytes: async () => new Map([[1, 6]]),
    isRemovable: async (segment: number) => segment !== 1,
    forget: async () => undefined,
  } as unknown as SegmentTable;
  const onError = (_: number, error: unknown) => {
    throw error;
  };
  const compactor = new Compactor({ segments, table, blocks: {} as BlockStore, onError });
  assert.equal((await compactor.compact()).segmentCount, 3);
  assert.deepEqual(await readdir(directory), [name(1), name(5)]);
});

test("a segment that another process removes meanwhile is no error, a lost one is", async (t) => {
  const directory = join(await temporaryDirectory(t), "segments");
  const segments = await FileSegments.open({ directory, segmentSizeBytesMax: 100 });
  t.after(() => segments.close());
  for (let i = 0; i < 4; i++) await segments.append([[Buffer.alloc(200)]]);
  const gone = new Set([1]);
  const table = {
    async liveBytes() {
      for (const segment of [1, 2]) await segments.remove(segment);
      return new Map([
        [1, 1],
        [2, 1],
      ]);
    },
    isRemovable: async (segment: number) => gone.has(segment),
    forget: async () => undefined,
  } as unknown as SegmentTable;
  const list = await segments.list();
  segments.list = async () => list;
  const told: number[] = [];
  const onError = (segment: number, error: unknown) => {
    assert.ok(error instanceof RangeMissingError);
    told.push(segment);
  };
  const compactor = new Compactor({ segments, table, blocks: {} as BlockStore, onError });
  assert.equal((await compactor.compact()).segmentCount, 0);
  assert.deepEqual(told, [2]);
});
