import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { seededFraction } from "../support/property.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { DiskModel, type Loss } from "./disk-model.ts";
import type { LoggedCall } from "./shim.ts";

test("the model of a disk keeps what was synced, names and bytes, whatever it loses", async (t) => {
  for (const loss of ["all", "torn-op", "torn-seq", "names"] as const) {
    const calls = [...file("a", 5, "old"), sync(5), ...named(), write(5, 3, "new")];
    for (const contents of await after(t, calls, loss)) {
      assert.equal(contents.get("a")?.subarray(0, 3).toString(), "old");
    }
  }
});

test("the model of a disk loses bytes that were not synced, and names", async (t) => {
  const unsynced = [...file("a", 5, "old"), ...named(), write(5, 0, "new")];
  const [left] = await after(t, unsynced, "all");
  assert.deepEqual([...(left ?? [])], [["a", Buffer.alloc(0)]]);
  const unnamed = [...file("a", 5, "old"), sync(5)];
  assert.equal((await after(t, unnamed, "all"))[0]?.size, 0);
  const seen = new Set((await after(t, unnamed, "names")).map((contents) => contents.size));
  assert.deepEqual([...seen].sort(), [0, 1]);
});

test("the model of a disk tears a write at its sectors", async (t) => {
  const first = "1".repeat(512);
  const second = "2".repeat(512);
  const calls = [...file("a", 5, first + second), ...named()];
  const contents = (await after(t, calls, "torn-op")).map((names) => String(names.get("a")));
  const [zeros, none] = ["\0".repeat(512), ""];
  const allowed = [none, first, first + second, zeros + second, first + zeros, zeros + zeros];
  for (const text of contents) assert.ok(allowed.includes(text), "in whole sectors");
  assert.ok(new Set(contents).size > 2, "in several ways");
});

test("the model of a disk brings back a file whose removal was not synced", async (t) => {
  const removed = call({ letter: "u", path: "a" });
  const calls = [...file("a", 5, "old"), sync(5), ...named(), removed];
  assert.equal((await after(t, calls, "all"))[0]?.get("a")?.toString(), "old");
  assert.equal((await after(t, [...calls, ...named()], "all"))[0]?.size, 0);
});

test("the model of a disk loses for good what a failed sync was to make durable", async (t) => {
  const calls = [...file("a", 5, "old"), sync(5), ...named(), write(5, 3, "new"), failedSync(5)];
  const later = [...calls, write(5, 6, "end"), sync(5)];
  for (const loss of ["none", "all"] as const) {
    const [left] = await after(t, later, loss);
    assert.equal(left?.get("a")?.toString(), "old\0\0\0end");
  }
  const [before] = await after(t, calls, "all");
  assert.equal(before?.get("a")?.toString(), "old");
});

test("the model of a disk has names wait for the next sync after a failed one", async (t) => {
  const [open, , close] = named() as [LoggedCall, LoggedCall, LoggedCall];
  const calls = [...file("a", 5, ""), sync(5), open, failedSync(9), close];
  assert.equal((await after(t, calls, "all"))[0]?.size, 0);
  assert.equal((await after(t, [...calls, ...named()], "all"))[0]?.size, 1);
});

test("the model of a disk holds at first what a folder does", async (t) => {
  const directory = await temporaryDirectory(t);
  await mkdir(join(directory, "below"));
  await writeFile(join(directory, "below", "a"), "old");
  const model = await DiskModel.of(directory);
  model.apply(call({ letter: "o", fd: 5, path: "below/a" }));
  model.apply(write(5, 3, "new"));
  for (const [loss, text] of [["none", "oldnew"] as const, ["all", "old"] as const]) {
    const folder = await temporaryDirectory(t);
    await model.cut(folder, loss, seededFraction(1));
    assert.equal(await readFile(join(folder, "below", "a"), "utf8"), text);
  }
});

/** The files left by some power cuts after these calls. */
async function after(t: TestContext, calls: LoggedCall[], loss: Loss) {
  const directory = await temporaryDirectory(t);
  const model = new DiskModel();
  for (const one of calls) model.apply(one);
  const fraction = seededFraction(1);
  const all: Map<string, Buffer>[] = [];
  for (let i = 0; i < 20; i++) {
    const folder = await mkdtemp(join(directory, "cut-"));
    await model.cut(folder, loss, fraction);
    const names = await readdir(folder);
    const read = async (name: string) => [name, await readFile(join(folder, name))] as const;
    all.push(new Map(await Promise.all(names.map(read))));
  }
  return all;
}

function call(parts: Partial<LoggedCall>): LoggedCall {
  const none = { fd: -1, offset: 0, length: 0, result: 0, path: "", bytes: Buffer.alloc(0) };
  return { letter: "", ...none, ...parts };
}

function file(path: string, fd: number, text: string): LoggedCall[] {
  return [call({ letter: "c", fd, length: 1, path }), write(fd, 0, text)];
}

function write(fd: number, offset: number, text: string): LoggedCall {
  const bytes = Buffer.from(text);
  return call({ letter: "w", fd, offset, length: bytes.length, result: bytes.length, bytes });
}

function sync(fd: number): LoggedCall {
  return call({ letter: "s", fd });
}

function failedSync(fd: number): LoggedCall {
  return call({ letter: "s", fd, result: -5 });
}

/** The folder is opened and synced. */
function named(): LoggedCall[] {
  return [call({ letter: "o", fd: 9, path: "" }), sync(9), call({ letter: "x", fd: 9 })];
}
