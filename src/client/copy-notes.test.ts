import assert from "node:assert/strict";
import { readdir, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns, seededBytes } from "../../test/support/property.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { CopyNotes } from "./_copy-notes.ts";

const HEAD = {
  snapshotId: "snap-0123456789abcdef0",
  parentSnapshotId: "snap-1123456789abcdef0",
  baseSnapshotId: undefined,
  attempt: 3,
};

test("notes tell later what was noted, wherever the blocks lie", async (t) => {
  const folder = join(await temporaryDirectory(t), "copies");
  const property = fc.asyncProperty(
    fc.uniqueArray(fc.nat(5_000), { maxLength: 30 }),
    fc.uniqueArray(fc.nat(5_000), { maxLength: 30 }),
    async (noted, asked) => {
      const notes = await CopyNotes.create(folder, "one", HEAD);
      await Promise.all(noted.map((index) => notes.note(index, seededBytes(index, 32))));
      await notes.close();
      const again = await CopyNotes.find(folder, "one");
      assert.deepEqual({ baseSnapshotId: undefined, ...again?.head }, HEAD);
      const indexes = [...noted, ...asked].sort((a, b) => a - b);
      await Promise.all(
        indexes.map(async (index) => {
          const expected = noted.includes(index) ? Buffer.from(seededBytes(index, 32)) : undefined;
          const found = await again?.put(index);
          assert.deepEqual(found && Buffer.from(found), expected);
        }),
      );
      await again?.close();
    },
  );
  await fc.assert(property, propertyRuns(t, 25));
});

test("a digest at the end that was cut off counts for nothing", async (t) => {
  const folder = await temporaryDirectory(t);
  const notes = await CopyNotes.create(folder, "one", HEAD);
  await notes.note(0, seededBytes(0, 32));
  await notes.note(1, seededBytes(1, 32));
  await notes.close();
  const path = join(folder, "one.copy");
  await truncate(path, (await stat(path)).size - 5);
  const again = await CopyNotes.find(folder, "one");
  assert.ok(await again?.put(0));
  assert.equal(await again?.put(1), undefined);
  await again?.remove();
  assert.deepEqual(await readdir(folder), []);
});

test("a file without notes is one that is not there", async (t) => {
  const folder = await temporaryDirectory(t);
  assert.equal(await CopyNotes.find(folder, "none"), undefined);
  for (const text of ["", "{}", "x".repeat(5_000), JSON.stringify({ format: 2, ...HEAD })]) {
    await writeFile(join(folder, "one.copy"), text);
    assert.equal(await CopyNotes.find(folder, "one"), undefined, text.slice(0, 20));
  }
});

test("a folder that cannot be written is told", async (t) => {
  const folder = await temporaryDirectory(t);
  await writeFile(join(folder, "file"), "");
  await assert.rejects(CopyNotes.create(join(folder, "file", "copies"), "one", HEAD), {
    name: "FileError",
    message: /^Cannot write .*one\.copy: a part of the path is not a directory\.$/,
  });
});
