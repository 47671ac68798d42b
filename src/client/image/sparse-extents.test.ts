import assert from "node:assert/strict";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Extent } from "../../model/extent.ts";
import { BLOCK_SIZE_BYTES } from "../../model/limits.ts";
import { findDataExtents, joinExtents } from "./sparse-extents.ts";

/** A sparse file with a few bytes at those offsets. */
async function sparseFile(t: TestContext, sizeBytes: number, offsets: readonly number[]) {
  const folder = await mkdtemp(join(tmpdir(), "varve-sparse-"));
  const path = join(folder, "image.raw");
  const handle = await open(path, "w+");
  t.after(async () => {
    await handle.close();
    await rm(folder, { recursive: true });
  });
  await handle.truncate(sizeBytes);
  for (const offset of offsets) await handle.write(Buffer.from("data"), 0, 4, offset);
  await handle.sync();
  return { fd: handle.fd, path, sizeBytes };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

test("finds the blocks that hold data in a sparse file", async (t) => {
  const at = (blockIndex: number) => blockIndex * BLOCK_SIZE_BYTES;
  const file = await sparseFile(t, at(1000), [at(3), at(4) + 9, at(4) + 400_000, at(999)]);
  const extents = await findDataExtents(file);
  if (!extents) return t.skip("this file system does not tell holes");
  assert.deepEqual(await collect(extents), [
    { start: 3, count: 2 },
    { start: 999, count: 1 },
  ]);
});

test("a file that is one hole has no extents, one without holes has one", async (t) => {
  const hole = await sparseFile(t, 10 * BLOCK_SIZE_BYTES, []);
  const found = await findDataExtents(hole);
  if (!found) return t.skip("this file system does not tell holes");
  assert.deepEqual(await collect(found), []);
  const offsets = Array.from({ length: 1000 }, (_, i) => i * 4096);
  const full = await sparseFile(t, 1000 * 4096, offsets);
  const extents = (await findDataExtents(full)) as AsyncGenerator<Extent>;
  assert.deepEqual(await collect(extents), [{ start: 0, count: 8 }]);
});

test("whoever stops early leaves no process behind", async (t) => {
  const offsets = Array.from({ length: 50 }, (_, i) => i * 2 * BLOCK_SIZE_BYTES);
  const file = await sparseFile(t, 100 * BLOCK_SIZE_BYTES, offsets);
  const extents = await findDataExtents(file);
  if (!extents) return t.skip("this file system does not tell holes");
  assert.deepEqual((await extents.next()).value, { start: 0, count: 1 });
  await extents.return(undefined);
  assert.equal((await extents.next()).done, true);
});

test("without Perl, or where it cannot ask, nothing is known", async (t) => {
  const file = await sparseFile(t, BLOCK_SIZE_BYTES, []);
  assert.equal(await findDataExtents(file, "/nowhere/perl"), undefined);
  assert.equal(await findDataExtents(file, "false"), undefined);
});

test("a search that breaks off is an error, not a hole", async (t) => {
  const file = await sparseFile(t, BLOCK_SIZE_BYTES, [0]);
  // `echo` repeats its arguments: a first line that makes no sense.
  const extents = await findDataExtents(file, "echo");
  assert.ok(extents);
  await assert.rejects(collect(extents), { code: "HOLES_UNKNOWN" });
});

test("runs of bytes within one block, or in adjacent ones, make one extent", async () => {
  async function* runs() {
    yield { start: 0, end: 10 };
    yield { start: 20, end: BLOCK_SIZE_BYTES + 1 };
    yield { start: 2 * BLOCK_SIZE_BYTES, end: 3 * BLOCK_SIZE_BYTES };
    yield { start: 5 * BLOCK_SIZE_BYTES - 1, end: 5 * BLOCK_SIZE_BYTES };
  }
  assert.deepEqual(await collect(joinExtents(runs())), [
    { start: 0, count: 3 },
    { start: 4, count: 1 },
  ]);
});
