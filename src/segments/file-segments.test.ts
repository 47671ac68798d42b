import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  type FileHandle,
  open,
  readdir,
  readFile,
  rm,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { seededBytes } from "../../test/support/property.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { FileSegments, SEGMENT_FORMAT_VERSION, SEGMENT_HEADER_BYTES } from "./file-segments.ts";
import { segmentStoreSuite } from "./segment-store.suite.ts";
import type { Placement } from "./segment-store.ts";

const run = promisify(execFile);
const SEGMENT_SIZE_BYTES_MAX = 4096;

segmentStoreSuite("FileSegments", async (t) => {
  const directory = await temporaryDirectory(t);
  let store = await openSegments(directory);
  t.after(() => store.close());
  const reopen = async () => {
    await store.close();
    store = await openSegments(directory);
    return store;
  };
  return { store, reopen };
});

test("FileSegments begins each file with its header", async (t) => {
  const directory = await temporaryDirectory(t);
  const store = await openSegments(directory);
  await store.append([[Buffer.from("abc")]]);
  await store.close();
  const bytes = await readFile(join(directory, "segments", "0000000001.segment"));
  assert.equal(bytes.toString("hex"), "56415256455345470100000001000000616263");
  assert.equal(bytes.length, SEGMENT_HEADER_BYTES + 3);
});

test("FileSegments begins a new segment when the active one is full", async (t) => {
  const directory = await temporaryDirectory(t);
  const store = await openSegments(directory);
  t.after(() => store.close());
  const used: number[] = [];
  for (let i = 0; i < 5; i++) used.push((await appendOne(store, "full", 2500)).segment);
  assert.deepEqual(used, [1, 1, 2, 2, 3]);
});

test("FileSegments never appends to a file of an earlier process", async (t) => {
  const directory = await temporaryDirectory(t);
  const first = await openSegments(directory);
  await appendOne(first, "a", 10);
  await first.close();
  const second = await openSegments(directory);
  t.after(() => second.close());
  const before = await readFile(join(directory, "segments", "0000000001.segment"));
  assert.equal((await appendOne(second, "b", 10)).segment, 2);
  assert.deepEqual(await readFile(join(directory, "segments", "0000000001.segment")), before);
});

test("FileSegments makes no file before the first append", async (t) => {
  const directory = await temporaryDirectory(t);
  await (await openSegments(directory)).close();
  const folder = join(directory, "segments");
  assert.deepEqual(await readdir(folder), []);
  for (const name of ["notes.txt", "12.segment", "0000000009.segment.old"]) {
    await writeFile(join(folder, name), "not a segment");
  }
  const store = await openSegments(directory);
  t.after(() => store.close());
  assert.deepEqual(await store.list(), []);
  assert.equal((await appendOne(store, "a", 1)).segment, 1);
});

test("FileSegments goes on after the highest number, whatever gaps there are", async (t) => {
  const directory = await temporaryDirectory(t);
  const first = await openSegments(directory);
  await first.close();
  await writeFile(join(directory, "segments", "0000000041.segment"), "torn");
  const store = await openSegments(directory);
  t.after(() => store.close());
  assert.equal((await appendOne(store, "a", 1)).segment, 42);
});

test("FileSegments refuses a folder in which a newer Varve wrote", async (t) => {
  const directory = await temporaryDirectory(t);
  const first = await openSegments(directory);
  for (let i = 0; i < 3; i++) await appendOne(first, i, SEGMENT_SIZE_BYTES_MAX);
  await first.close();
  const path = pathOf(directory, 3);
  const before = await readFile(path);
  for (const version of [2, 4, 7, 8, 100, 2 ** 31]) {
    const newer = Buffer.from(before);
    newer.writeUInt32LE(version, 8);
    await writeFile(path, newer);
    const message =
      `Segment 3 has version ${version}; this Varve reads up to ${SEGMENT_FORMAT_VERSION}. ` +
      "Start the newer Varve that wrote it.";
    await assert.rejects(openSegments(directory), { message });
    assert.deepEqual(await readFile(path), newer);
    assert.equal((await readdir(join(directory, "segments"))).length, 3);
    // It died as it began the next one.
    for (const length of [0, 15]) {
      await writeFile(pathOf(directory, 4), newer.subarray(0, length));
      await assert.rejects(openSegments(directory), { message });
    }
    await rm(pathOf(directory, 4));
  }
});

test("FileSegments reads on whatever bit of a header has flipped", async (t) => {
  const directory = await temporaryDirectory(t);
  const first = await openSegments(directory);
  const placement = await appendOne(first, "kept", 100);
  await first.close();
  const path = pathOf(directory, 1);
  const whole = await readFile(path);
  const readsOn = async (bytes: Uint8Array, what: string) => {
    await writeFile(path, bytes);
    const store = await openSegments(directory);
    assert.deepEqual(await store.read(placement), seededBytes("kept", 100), what);
    await store.close();
  };
  for (let bit = 0; bit < 8 * SEGMENT_HEADER_BYTES; bit++) {
    const flipped = Buffer.from(whole);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    await readsOn(flipped, `bit ${bit}`);
  }
  await readsOn(Buffer.from(whole).fill(0, 0, SEGMENT_HEADER_BYTES), "zeroed");
  // Another segment's, or no segment's, is not taken for that of a newer Varve.
  for (const [offset, value] of [
    [12, 2],
    [0, 0],
  ] as const) {
    const other = Buffer.from(whole);
    other.writeUInt32LE(2, 8);
    other.writeUInt32LE(value, offset);
    await readsOn(other, `offset ${offset}`);
  }
});

test("FileSegments opens a folder whatever a header's read answers", async (t) => {
  const directory = await temporaryDirectory(t);
  const first = await openSegments(directory);
  const placement = await appendOne(first, "kept", 100);
  await first.close();
  const mock = t.mock.method(await fileHandlePrototype(t), "read", async () => {
    throw Object.assign(new Error("the disk is broken"), { code: "EIO" });
  });
  const store = await openSegments(directory);
  t.after(() => store.close());
  assert.equal(mock.mock.callCount(), 1);
  await assert.rejects(store.read(placement), { code: "EIO" });
  mock.mock.restore();
  assert.deepEqual(await store.read(placement), seededBytes("kept", 100));
});

test("FileSegments believes no version that is read once only", async (t) => {
  const directory = await temporaryDirectory(t);
  const first = await openSegments(directory);
  const placement = await appendOne(first, "kept", 100);
  await first.close();
  const prototype = await fileHandlePrototype(t);
  const read = prototype.read as (...parameters: unknown[]) => Promise<unknown>;
  let count = 0;
  t.mock.method(prototype, "read", async function (this: FileHandle, ...parameters: unknown[]) {
    const outcome = await read.apply(this, parameters);
    count += 1;
    // As if it had read elsewhere; the next one is right.
    if (count === 1) (parameters[0] as Buffer).writeUInt32LE(2, 8);
    return outcome;
  });
  const store = await openSegments(directory);
  t.after(() => store.close());
  assert.equal(count, 2);
  assert.deepEqual(await store.read(placement), seededBytes("kept", 100));
});

test("FileSegments looks at few headers, however many segments there are", async (t) => {
  const directory = await temporaryDirectory(t);
  const first = await openSegments(directory);
  for (let i = 0; i < 20; i++) await appendOne(first, i, SEGMENT_SIZE_BYTES_MAX);
  await first.close();
  const prototype = await fileHandlePrototype(t);
  const original = prototype.read as (...parameters: unknown[]) => Promise<unknown>;
  const mock = t.mock.method(prototype, "read", function (this: FileHandle, ...given: unknown[]) {
    return original.apply(this, given);
  });
  const store = await openSegments(directory);
  t.after(() => store.close());
  assert.equal(mock.mock.callCount(), 4);
});

test("FileSegments rejects a read from a truncated segment, and reads what is left", async (t) => {
  const directory = await temporaryDirectory(t);
  const store = await openSegments(directory);
  t.after(() => store.close());
  const kept = await appendOne(store, "kept", 100);
  const lost = await appendOne(store, "lost", 100);
  await truncate(join(directory, "segments", "0000000001.segment"), lost.offset + 99);
  await assert.rejects(store.read(lost), /ends before/);
  assert.deepEqual(await store.read(kept), seededBytes("kept", 100));
});

test("FileSegments reads from more segments than it keeps open, many at once", async (t) => {
  const directory = await temporaryDirectory(t);
  const store = await openSegments(directory);
  t.after(() => store.close());
  const placements: Placement[] = [];
  for (let i = 0; i < 80; i++) placements.push(await appendOne(store, i, 4100));
  assert.equal(placements.at(-1)?.segment, 80);
  for (let round = 0; round < 2; round++) {
    const read = await Promise.all(placements.map((placement) => store.read(placement)));
    for (const [i, bytes] of read.entries()) assert.deepEqual(bytes, seededBytes(i, 4100));
  }
});

for (const method of ["writev", "datasync"] as const) {
  test(`FileSegments goes on in a new segment when a ${method} fails`, async (t) => {
    const directory = await temporaryDirectory(t);
    const store = await openSegments(directory);
    t.after(() => store.close());
    const old = await appendOne(store, "old", 100);
    const mock = t.mock.method(await fileHandlePrototype(t), method, async () => {
      throw Object.assign(new Error("the disk is broken"), { code: "EIO" });
    });
    await assert.rejects(store.append([[seededBytes("lost", 100)]]), { code: "EIO" });
    assert.equal(mock.mock.callCount(), 1, "a failed call is not tried again");
    // The disk is still broken while the next segment is begun.
    await assert.rejects(store.append([[seededBytes("lost", 100)]]), { code: "EIO" });
    mock.mock.restore();
    const next = await appendOne(store, "next", 100);
    assert.equal(next.segment, 3, "neither segment that failed is appended to again");
    assert.deepEqual(await store.read(old), seededBytes("old", 100));
    assert.deepEqual(await store.read(next), seededBytes("next", 100));
  });
}

test("FileSegments syncs data before it answers, and first the folder", async (t) => {
  const directory = await temporaryDirectory(t);
  const store = await openSegments(directory);
  t.after(() => store.close());
  const prototype = await fileHandlePrototype(t);
  const calls: string[] = [];
  for (const name of ["writev", "datasync", "sync"] as const) {
    const original = prototype[name] as (...parameters: unknown[]) => Promise<unknown>;
    t.mock.method(prototype, name, function (this: FileHandle, ...parameters: unknown[]) {
      calls.push(name);
      return original.apply(this, parameters);
    });
  }
  await appendOne(store, "a", 10);
  await appendOne(store, "b", 10);
  const header = ["writev", "datasync", "sync"];
  assert.deepEqual(calls, [...header, "writev", "datasync", "writev", "datasync"]);
});

test("FileSegments survives a file size limit in the middle of a batch", async (t) => {
  if (process.platform === "win32") return t.skip("needs ulimit");
  const directory = await temporaryDirectory(t);
  // 100 blocks of 1024 bytes a file: a real partial write, then a real error.
  const { stdout } = await run("bash", [
    "-c",
    `ulimit -f 100 && exec "$0" --input-type=module -e "$1" "$2" "$3"`,
    process.execPath,
    FULL_DISK_SCRIPT,
    MODULE,
    directory,
  ]);
  checkFullDisk(JSON.parse(stdout));
});

test("FileSegments survives a real full disk in the middle of a batch", async (t) => {
  const directory = await temporaryDirectory(t);
  // An odd size, in pages: the batch that does not fit is taken in part first.
  const mounted = await run("mount", ["-t", "tmpfs", "-o", "size=108k", "tmpfs", directory]).then(
    () => true,
    () => false,
  );
  if (!mounted) return t.skip("needs the right to mount a tmpfs");
  try {
    const parameters = ["--input-type=module", "-e", FULL_DISK_SCRIPT, MODULE, directory];
    const { stdout } = await run(process.execPath, parameters);
    checkFullDisk(JSON.parse(stdout));
  } finally {
    await run("umount", ["-l", directory]);
  }
});

const MODULE = import.meta.resolve("./file-segments.ts");

/** Fills up the disk it is given, and prints what happened. */
const FULL_DISK_SCRIPT = `
  const [module, folder] = process.argv.slice(1);
  const { FileSegments } = await import(module);
  const directory = folder + "/segments";
  const store = await FileSegments.open({ directory, segmentSizeBytesMax: 1e9 });
  const [old] = await store.append([[Buffer.alloc(60_001, 1)]]);
  const errors = [];
  const fill = (value, size) => store.append([[Buffer.alloc(size, value)], [Buffer.alloc(size, 9)]])
    .catch((error) => { errors.push(error.code); });
  const refused = await fill(2, 40_000);
  const sizes = (await store.list()).map(({ sizeBytes }) => sizeBytes);
  const [next] = (await fill(3, 10)) ?? [];
  const isWhole = async (placement, value) =>
    Buffer.from(await store.read(placement)).every((byte) => byte === value);
  console.log(JSON.stringify({
    refused, errors, sizes, next,
    oldIsWhole: await isWhole(old, 1),
    nextIsWhole: next ? await isWhole(next, 3) : undefined,
  }));
  await store.close();
`;

function checkFullDisk(seen: {
  refused?: unknown;
  errors: string[];
  sizes: number[];
  next?: Placement;
  oldIsWhole: boolean;
  nextIsWhole?: boolean;
}): void {
  assert.equal(seen.refused, undefined, "the batch that did not fit is not acknowledged");
  assert.match(seen.errors[0] ?? "", /^(?:EFBIG|ENOSPC)$/);
  assert.equal(seen.sizes[0], 16 + 60_001, "the room that the torn batch took is given back");
  assert.ok(seen.oldIsWhole, "what was acknowledged before stays readable");
  // On a full disk there may be no room for another segment; then nothing is acknowledged.
  if (seen.next === undefined) assert.equal(seen.errors[1], "ENOSPC");
  else assert.deepEqual([seen.next.segment, seen.nextIsWhole], [2, true]);
}

function openSegments(directory: string): Promise<FileSegments> {
  const options = { segmentSizeBytesMax: SEGMENT_SIZE_BYTES_MAX };
  return FileSegments.open({ directory: join(directory, "segments"), ...options });
}

function pathOf(directory: string, segment: number): string {
  return join(directory, "segments", `000000000${segment}.segment`);
}

async function appendOne(
  store: FileSegments,
  seed: string | number,
  length: number,
): Promise<Placement> {
  const [placement] = await store.append([[seededBytes(seed, length)]]);
  assert.ok(placement);
  return placement;
}

/** The prototype of all file handles, where a test can make every file's calls fail. */
async function fileHandlePrototype(t: TestContext): Promise<FileHandle> {
  const handle = await open(await temporaryDirectory(t), "r");
  try {
    return Object.getPrototypeOf(handle) as FileHandle;
  } finally {
    await handle.close();
  }
}
