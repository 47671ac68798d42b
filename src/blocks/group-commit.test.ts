import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeBlockTable, FakeSegments, gate } from "../../test/support/fakes.ts";
import { UnavailableError } from "../base/unavailable.ts";
import type { RecordName } from "../model/digest.ts";
import type { AccountId, SnapshotId } from "../model/ids.ts";
import { GroupCommit } from "./group-commit.ts";
import { digestOf } from "./hash.ts";

const DOMAIN = "111122223333" as AccountId;
const BATCH_SIZE_BYTES_MAX = 1_000;

test("GroupCommit appends the records, then commits their locations, then answers", async () => {
  const { commits, log, catalog } = setUp();
  const answer = commits.commit(change("a")).then(() => log.push("answered"));
  await answer;
  assert.deepEqual(log, ["append", "appended", "commit", "committed", "answered"]);
  const [{ locations, writes } = { locations: [], writes: [] }] = catalog.commits;
  assert.deepEqual(locations, [
    { domain: DOMAIN, name: digest("a"), replaces: false, segment: 0, offset: 0, length: 1 },
  ]);
  assert.deepEqual(
    writes.map((write) => write.name),
    [digest("a")],
  );
});

test("GroupCommit puts what arrives together into one batch, in order", async () => {
  const { commits, segments, catalog } = setUp();
  await Promise.all(["a", "b", "c"].map((text) => commits.commit(change(text))));
  assert.deepEqual(segments.batches.map(texts), [["a", "b", "c"]]);
  assert.equal(catalog.commits.length, 1);
});

test("GroupCommit puts all that arrives during a commit into one next batch", async () => {
  const { commits, segments, catalog } = setUp();
  const { wait, open } = gate();
  segments.beforeAppend = wait;
  const first = commits.commit(change("a"));
  await turns(3);
  const rest: Promise<unknown>[] = [];
  for (const text of ["b", "c", "d"]) {
    rest.push(commits.commit(change(text)));
    await turns(2);
  }
  open();
  await Promise.all([first, ...rest]);
  assert.deepEqual(segments.batches.map(texts), [["a"], ["b", "c", "d"]]);
  assert.equal(catalog.commits.length, 2);
});

test("GroupCommit does not have others wait again for an engine that did not answer", async () => {
  const { commits, segments } = setUp();
  const { wait, open } = gate();
  segments.beforeAppend = async () => {
    await wait();
    throw new UnavailableError("away");
  };
  const first = assert.rejects(commits.commit(change("a")), UnavailableError);
  await turns(3);
  const behind = ["b", "c"].map((text) => assert.rejects(commits.commit(change(text)), /away/));
  await turns(2);
  open();
  await Promise.all([first, ...behind]);
  segments.beforeAppend = async () => undefined;
  assert.equal(await commits.commit(change("d")), undefined);
  assert.deepEqual(segments.batches.map(texts), [["d"]]);
});

test("GroupCommit bounds a batch by its size, and takes a larger change alone", async () => {
  const { commits, segments } = setUp();
  const sizes = [400, 600, 1, 999, 2_000, 500, 500];
  await Promise.all(sizes.map((size, i) => commits.commit(change(String(i).repeat(size)))));
  const batches = segments.batches.map((batch) => batch.map(({ length }) => length));
  assert.deepEqual(batches, [[400, 600], [1, 999], [2_000], [500, 500]]);
});

test("GroupCommit takes what is moved and what is new in turn, each together", async () => {
  const { commits, segments } = setUp();
  const { wait, open } = gate();
  segments.beforeAppend = wait;
  const first = commits.commit(change("a"));
  await turns(3);
  const arriving = ["M", "b", "N", "c", "O", "d"].map((text) => {
    return commits.commit(text < "a" ? moved(text) : change(text));
  });
  open();
  await Promise.all([first, ...arriving]);
  assert.deepEqual(segments.batches.map(texts), [["a"], ["M", "N", "O"], ["b", "c", "d"]]);
});

test("GroupCommit takes the oldest first, whatever it is for", async () => {
  const { commits, segments } = setUp();
  const wide = (letter: string) => letter.repeat(BATCH_SIZE_BYTES_MAX / 2);
  const arriving = ["a", "M", "b", "c", "N", "d"].map((letter) => {
    return commits.commit(letter < "a" ? moved(wide(letter)) : change(wide(letter)));
  });
  await Promise.all(arriving);
  const letters = segments.batches.map((batch) => texts(batch).map(([letter]) => letter));
  assert.deepEqual(letters, [
    ["a", "b"],
    ["M", "N"],
    ["c", "d"],
  ]);
});

test("GroupCommit appends nothing for changes without a record", async () => {
  const { commits, log, catalog } = setUp();
  await commits.commit(change("a"));
  log.length = 0;
  const known = { ...change("a"), record: undefined };
  await Promise.all(Array.from({ length: 5 }, () => commits.commit(known)));
  assert.deepEqual(log, ["commit", "committed"]);
  assert.equal(catalog.commits.at(-1)?.writes.length, 5);
});

test("GroupCommit answers each write its own refusal", async () => {
  const { commits, catalog } = setUp();
  catalog.closed.add("snap-closed");
  const answers = await Promise.all([
    commits.commit(change("a", "snap-closed")),
    commits.commit({ ...change("b"), write: undefined }),
    commits.commit(change("c")),
    commits.commit({ ...change("unknown"), record: undefined }),
    commits.commit(change("d", "snap-closed")),
  ]);
  const expected = ["not-pending", undefined, undefined, "not-stored", "not-pending"];
  assert.deepEqual(answers, expected);
});

for (const part of ["segments", "catalog"] as const) {
  test(`GroupCommit rejects all of a batch and nothing else when its ${part} fail`, async () => {
    const parts = setUp();
    const { commits, segments, catalog } = parts;
    const { wait, open } = gate();
    let calls = 0;
    const failSecond = async () => {
      calls += 1;
      if (calls === 1) await wait();
      if (calls === 2) throw new Error("the disk is full");
    };
    if (part === "segments") segments.beforeAppend = failSecond;
    else catalog.beforeCommit = failSecond;
    const first = commits.commit(change("a"));
    await turns(3);
    const second = ["b", "c"].map((text) => commits.commit(change(text)));
    const settled = Promise.allSettled(second);
    open();
    await first;
    for (const result of await settled) {
      assert.equal(result.status, "rejected");
      assert.match(String(result.reason), /the disk is full/);
    }
    await commits.commit(change("d"));
    const committed = catalog.commits.flatMap(({ writes }) => writes.map((write) => write.name));
    assert.deepEqual(committed, [digest("a"), digest("d")]);
  });
}

test("GroupCommit never commits a location of records that were not appended", async () => {
  const { commits, segments, catalog } = setUp();
  segments.beforeAppend = () => Promise.reject(new Error("no"));
  await assert.rejects(commits.commit(change("a")), /no/);
  assert.deepEqual(catalog.commits, []);
});

test("GroupCommit.idle waits for everything handed in, whether it succeeds or fails", async () => {
  const { commits, segments, catalog } = setUp();
  await commits.idle();
  const { wait, open } = gate();
  segments.beforeAppend = wait;
  void commits.commit(change("a"));
  await turns(3);
  void commits.commit(change("b"));
  let isIdle = false;
  const idle = commits.idle().then(() => {
    isIdle = true;
  });
  await turns(3);
  assert.equal(isIdle, false);
  open();
  await idle;
  assert.equal(catalog.commits.length, 2);
});

function setUp() {
  const log: string[] = [];
  const segments = new FakeSegments(log);
  const catalog = new FakeBlockTable(log);
  return {
    log,
    segments,
    catalog,
    commits: new GroupCommit(segments, catalog, BATCH_SIZE_BYTES_MAX),
  };
}

function change(text: string, snapshotId = "snap-1") {
  const named = { domain: DOMAIN, name: digest(text) };
  const write = { ...named, blockIndex: 0, snapshotId: snapshotId as SnapshotId, expiresAtMs: 0 };
  return { record: { ...named, entry: [Buffer.from(text)], replaces: false }, write };
}

/** The same of a record that is only moved. */
function moved(text: string) {
  const movedFrom = { segment: 99, offset: 0, length: text.length };
  return { record: { ...change(text).record, movedFrom }, write: undefined };
}

function digest(text: string) {
  return digestOf(Buffer.from(text)) as string as RecordName;
}

function texts(batch: readonly Buffer[]): string[] {
  return batch.map(String);
}

/** Lets everything that is ready to go on do so, that many times. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
}
