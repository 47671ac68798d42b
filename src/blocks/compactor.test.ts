import assert from "node:assert/strict";
import { readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { FakeBlockTable, NO_SECRETS } from "../../test/support/fakes.ts";
import { blockContents } from "../../test/support/property.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import type { SegmentTable } from "../catalog/collection.ts";
import { CorruptionError } from "../model/errors.ts";
import type { AccountId } from "../model/ids.ts";
import { FileSegments } from "../segments/file-segments.ts";
import { RangeMissingError } from "../segments/segment-store.ts";
import { BlockStore } from "./block-store.ts";
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

test("room is asked for once something of a segment was read whole, for all of it", async (t) => {
  const directory = join(await temporaryDirectory(t), "segments");
  const options = { directory, segmentSizeBytesMax: 1_000_000 };
  const catalog = new FakeBlockTable();
  const open = async () => {
    const segments = await FileSegments.open(options);
    const store = new BlockStore(segments, { blocks: catalog, liveness: catalog }, NO_SECRETS);
    return { segments, store };
  };
  const before = await open();
  const nodes = before.store.nodeStore("111122223333" as AccountId);
  for (const contents of [1, 2, 3]) await nodes.putNode(blockContents(contents));
  await before.segments.close();
  const { segments, store } = await open();
  t.after(() => segments.close());
  await segments.append([[Buffer.from("the newest")]]);
  const table = {
    liveBytes: async () => new Map([[1, 1]]),
    isLocated: async () => true,
    isRemovable: async () => false,
  } as unknown as SegmentTable;
  const told: unknown[] = [];
  let askedCount = 0;
  const compactor = new Compactor({
    ...{ segments, table, blocks: store },
    async hasRoomToMove() {
      askedCount += 1;
      return false;
    },
    onError: (_, error) => told.push(error),
  });
  await compactor.compact();
  assert.equal(askedCount, 1);
  assert.match(String(told), /^NoRoomError/);
  assert.equal((await segments.list()).length, 2, "nothing was moved");
  const path = join(directory, "0000000001.segment");
  const bytes = await readFile(path);
  for (const { offset, length } of catalog.locations.values()) {
    bytes.writeUInt8(bytes.readUInt8(offset + length - 1) ^ 1, offset + length - 1);
  }
  await writeFile(path, bytes);
  told.length = 0;
  await compactor.compact();
  assert.equal(askedCount, 1, "nothing can be moved, so nobody is asked for room");
  assert.deepEqual(
    told.map((error) => error instanceof CorruptionError),
    [true, true, true],
  );
});
