import assert from "node:assert/strict";
import type { FileHandle } from "node:fs/promises";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns, seededBytes } from "../../test/support/property.ts";
import { writeAll } from "./_write-all.ts";

/** A file in memory that takes at most as many bytes of each call as the list says next. */
class FakeFile {
  readonly bytes = Buffer.alloc(100_000);
  calls = 0;
  end = 0;
  readonly #taken: readonly number[];

  constructor(taken: readonly number[] = []) {
    this.#taken = taken;
  }

  async writev(pieces: readonly Uint8Array[], position: number): Promise<{ bytesWritten: number }> {
    assert.ok(pieces.length <= 1024, "the kernel takes at most 1024 pieces");
    const all = Buffer.concat(pieces);
    const taken = this.#taken[this.calls++] ?? all.length;
    if (taken < 0) throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
    const bytesWritten = Math.min(taken, all.length);
    all.copy(this.bytes, position, 0, bytesWritten);
    this.end = Math.max(this.end, position + bytesWritten);
    return { bytesWritten };
  }

  get handle(): FileHandle {
    return this as unknown as FileHandle;
  }
}

test("writeAll writes every byte however small the parts are that the kernel takes", async (t) => {
  const partial = fc.asyncProperty(
    fc.array(fc.nat(300), { maxLength: 12 }),
    fc.array(fc.integer({ min: 1, max: 200 })),
    fc.nat(5000),
    async (lengths, taken, position) => {
      const file = new FakeFile(taken);
      const pieces = lengths.map((length, i) => seededBytes(i, length));
      await writeAll(file.handle, pieces, position);
      const all = Buffer.concat(pieces);
      assert.deepEqual(file.bytes.subarray(position, position + all.length), all);
      assert.equal(file.end, all.length === 0 ? 0 : position + all.length);
    },
  );
  await fc.assert(partial, propertyRuns(t, 300));
});

test("writeAll splits more pieces than one call may carry", async () => {
  const file = new FakeFile();
  const pieces = Array.from({ length: 2500 }, (_, i) => Buffer.from([i & 255]));
  await writeAll(file.handle, pieces, 0);
  assert.equal(file.calls, 3);
  assert.deepEqual(file.bytes.subarray(0, 2500), Buffer.concat(pieces));
});

test("writeAll makes no call when there is nothing to write", async () => {
  const file = new FakeFile();
  await writeAll(file.handle, [new Uint8Array(0), new Uint8Array(0)], 7);
  assert.equal(file.calls, 0);
});

test("writeAll rejects when the kernel takes nothing", async () => {
  const file = new FakeFile([3, 0]);
  await assert.rejects(writeAll(file.handle, [Buffer.from("12345")], 0), /took none/);
});

test("writeAll rejects with the system's error when a later part fails", async () => {
  const file = new FakeFile([3, -1]);
  const failing = writeAll(file.handle, [Buffer.from("12345")], 0);
  await assert.rejects(failing, { code: "ENOSPC" });
  assert.equal(file.calls, 2);
});
