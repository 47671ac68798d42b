import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Call } from "../../src/client/call/client.ts";
import {
  type Client,
  ClientError,
  type CopyError,
  type CopyResult,
  copySnapshots,
  deleteSnapshot,
  describeSnapshots,
  downloadSnapshot,
  isSnapshotNotFound,
  lockSnapshot,
  type SyncOptions,
  syncSnapshots,
  type TransferNote,
  uploadSnapshot,
} from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { assertSameBytes, type ImageContents, writeImage } from "../support/image-file.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { allIds, asAws, clientFor, clientThrough } from "./_client.ts";

/* A destination kept up to date while others work on both sides. */

async function setUp(t: TestContext) {
  const source = clientFor(t, await startService(t));
  const destination = clientFor(t, await startService(t));
  const folder = await temporaryDirectory(t);
  const notes: TransferNote[] = [];
  return {
    source,
    destination,
    folder,
    notes,
    async upload(contents: ImageContents, parentSnapshotId?: string) {
      const path = join(folder, "image.raw");
      await writeImage(path, 20 * BLOCK_SIZE_BYTES, contents);
      const options = { path, parentSnapshotId, holes: "seek" } as const;
      return (await uploadSnapshot(source, options)).snapshotId;
    },
    sync(options: Partial<SyncOptions> = {}, clients: { from?: Client; to?: Client } = {}) {
      const { from = source, to = destination } = clients;
      const stateFolder = join(folder, "state");
      const onNote = (note: TransferNote) => notes.push(note);
      return syncSnapshots(from, to, {
        filter: {},
        concurrency: 1,
        stateFolder,
        onNote,
        ...options,
      });
    },
    /** Throws unless both snapshots come back as the same bytes. */
    async assertSame(sourceId: string, copyId = "") {
      const [original, copied] = [join(folder, "original.raw"), join(folder, "copied.raw")];
      await downloadSnapshot(source, { snapshotId: sourceId, path: original, force: true });
      await downloadSnapshot(destination, { snapshotId: copyId, path: copied, force: true });
      await assertSameBytes(copied, original);
    },
  };
}

/** The same client; before the first call that is meant, something else happens. */
function before(client: Client, isMeant: (call: Call<unknown>) => boolean, event: () => unknown) {
  let isOver = false;
  return clientThrough(client, async (call, options) => {
    if (!isOver && isMeant(call)) {
      isOver = true;
      await event();
    }
    return client.send(call, options);
  });
}

const named = (operation: string) => (call: Call<unknown>) => call.operation === operation;

/** A question for one snapshot of that id, whatever else is asked of it. */
const asksFor = (snapshotId: string) => (call: Call<unknown>) =>
  call.operation === "DescribeSnapshots" &&
  new TextDecoder().decode(call.request.body).includes(snapshotId);

test("a copy that somebody else makes meanwhile is not taken for one to delete", async (t) => {
  const { source, destination, upload, sync } = await setUp(t);
  await upload({ 0: 1 });
  await sync();
  let [late, copy]: (string | undefined)[] = [];
  // The source's snapshots are listed by then.
  const from = before(source, named("ListLineages"), async () => {
    late = await upload({ 0: 2 });
    [copy] = (await copySnapshots(source, destination, { snapshotIds: [late] })).map(
      ({ snapshotId }) => snapshotId,
    );
  });
  const result = await sync({ delete: true }, { from });
  assert.deepEqual([result.toDelete, result.deleted, result.failed], [[], [], []]);
  assert.ok((await allIds(destination)).includes(copy ?? ""));
});

test("a copy whose original is there again is kept", async (t) => {
  const { source, destination, upload, sync, notes } = await setUp(t);
  const hidden = await upload({ 0: 1 });
  const gone = await upload({ 0: 2 });
  await upload({ 0: 3 });
  const { copies } = await sync();
  const copyOf = (id: string) =>
    copies.find((each) => each.sourceSnapshotId === id)?.snapshotId ?? "";
  await deleteSnapshot(source, gone);
  // As if it were in the recycle bin while the source is listed.
  const from = clientThrough(source, async (call, options) => {
    const answer = await source.send(call, options);
    const list = answer as { Snapshots?: readonly { SnapshotId: string }[] };
    if (call.operation !== "DescribeSnapshots" || asksFor(hidden)(call)) return answer;
    const Snapshots = list.Snapshots?.filter(({ SnapshotId }) => SnapshotId !== hidden);
    return { ...answer, Snapshots };
  });
  const result = await sync({ delete: true }, { from });
  assert.equal(result.toDelete.length, 2);
  assert.deepEqual([result.deleted, result.failed], [[copyOf(gone)], []]);
  assert.ok((await allIds(destination)).includes(copyOf(hidden)));
  assert.match(notes[0]?.message ?? "", new RegExp(`${copyOf(hidden)} is kept: its original`));
});

test("what is not known to be gone, or cannot be deleted, does not save the rest", async (t) => {
  const { source, destination, upload, sync } = await setUp(t);
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.push(await upload({ 0: i + 1 }));
  const [denied = "", odd = "", locked = "", gone = ""] = ids;
  const { copies } = await sync();
  const copyOf = (id: string) =>
    copies.find((each) => each.sourceSnapshotId === id)?.snapshotId ?? "";
  await lockSnapshot(destination, { snapshotId: copyOf(locked), mode: "governance", days: 1 });
  for (const id of [denied, odd, locked, gone]) await deleteSnapshot(source, id);
  const from = clientThrough(source, async (call, options) => {
    if (asksFor(denied)(call)) {
      const parts = { kind: "service", operation: call.operation, status: 403 } as const;
      throw new ClientError({ ...parts, code: "UnauthorizedOperation", message: "not this one" });
    }
    if (!asksFor(odd)(call)) return source.send(call, options);
    // A service, or something before it, that says nothing of what it was asked.
    return { Snapshots: [] } as never;
  });
  const deleted: string[] = [];
  const onDeleted = (id: string) => deleted.push(id);
  const result = await sync({ delete: true, onDeleted }, { from });
  assert.deepEqual(result.deleted, [copyOf(gone)]);
  assert.deepEqual(deleted, [copyOf(gone)]);
  assert.equal(result.failed.length, 3);
  const whyNot = (id: string) =>
    String(result.failed.find(({ snapshotId }) => snapshotId === copyOf(id))?.error);
  assert.match(whyNot(denied), /not this one$/);
  assert.match(whyNot(odd), /does not tell whether there is a snapshot/);
  assert.match(whyNot(locked), /is locked/);
  assert.equal((await allIds(destination)).length, 4);
});

for (const [what, parts] of [
  ["does not answer", { kind: "connection", code: "ECONNRESET" }],
  ["only fails", { kind: "service", code: "Unavailable", status: 503 }],
  ["refuses the keys", { kind: "service", code: "AuthFailure", status: 401 }],
  ["finds the keys expired", { kind: "service", code: "RequestExpired", status: 400 }],
] as const) {
  test(`where a destination ${what}, nothing else is deleted, and all of it told`, async (t) => {
    const { source, destination, upload, sync } = await setUp(t);
    const ids: string[] = [];
    for (let i = 0; i < 4; i++) ids.push(await upload({ 0: i + 1 }));
    await sync();
    for (const id of ids.slice(1)) await deleteSnapshot(source, id);
    let deletions = 0;
    const to = clientThrough(destination, async (call, options) => {
      const { operation } = call;
      if (operation !== "DeleteSnapshot" || ++deletions === 1) {
        return destination.send(call, options);
      }
      throw new ClientError({ ...parts, operation, message: "no" });
    });
    const { toDelete, deleted, failed } = await sync({ delete: true }, { to });
    assert.equal(deletions, 2, "one went well, one did not, and no other is tried");
    const planned = toDelete.map(({ snapshotId }) => snapshotId);
    assert.deepEqual([planned.length, deleted], [3, planned.slice(0, 1)]);
    assert.deepEqual(
      failed.map(({ snapshotId, error }) => [snapshotId, (error as ClientError).code]),
      planned.slice(1).map((id) => [id, parts.code]),
    );
  });
}

test("a copy that is complete when its original goes is a copy, not compared", async (t) => {
  const { source, destination, upload, sync, notes } = await setUp(t);
  const pruned = await upload({ 0: 2, 1: 3 });
  const last = await upload({ 0: 5 });
  let calls = 0;
  // Its checksums are listed to copy it, and then to compare it.
  const isMeant = (call: Call<unknown>) => call.operation === "ListBlockDigests" && ++calls === 2;
  const from = before(source, isMeant, () => deleteSnapshot(source, pruned));
  const told: string[] = [];
  const onResult = (result: CopyResult) => told.push(result.snapshotId);
  const { copies, vanished } = await sync({ verify: true, onResult }, { from });
  assert.deepEqual(
    copies.map(({ sourceSnapshotId, outcome }) => [sourceSnapshotId, outcome]),
    [pruned, last].map((id) => [id, "copied"]),
  );
  assert.deepEqual(vanished, []);
  assert.deepEqual((await allIds(destination)).toSorted(), told.toSorted());
  assert.equal(copies[0]?.verification, undefined);
  assert.equal(copies[1]?.verification?.differingBlocks, 0);
  assert.deepEqual(
    notes.map(({ event }) => event),
    ["not-compared"],
  );
  assert.match(
    notes[0]?.message ?? "",
    new RegExp(`^The copy ${copies[0]?.snapshotId} is complete`),
  );
});

/** When a snapshot is pruned: at which side, before which call of its copying. */
const MOMENTS = [
  ["before its turn", "source", "ListLineages", 1],
  ["before its copy is started", "destination", "StartSnapshot", 2],
  ["while its blocks are read", "source", "GetSnapshotBlock", 3],
] as const;

test("a snapshot that is pruned before or while it is copied is passed over", async (t) => {
  for (const [moment, side, operation, count] of MOMENTS) {
    await t.test(moment, async (t) => {
      const { source, destination, folder, upload, sync, notes, assertSame } = await setUp(t);
      const gone = await upload({ 0: 9 });
      await sync();
      const first = await upload({ 0: 1 });
      const pruned = await upload({ 0: 2, 1: 3, 2: 4 });
      const last = await upload({ 0: 5 });
      await deleteSnapshot(source, gone);
      let calls = 0;
      const isMeant = (call: Call<unknown>) => call.operation === operation && ++calls === count;
      const prune = () => deleteSnapshot(source, pruned);
      const from = side === "source" ? before(source, isMeant, prune) : source;
      const to = side === "source" ? destination : before(destination, isMeant, prune);
      const result = await sync({ delete: true, verify: true }, { from, to });
      assert.deepEqual(result.vanished, [pruned]);
      assert.deepEqual(
        result.copies.map(({ sourceSnapshotId }) => sourceSnapshotId),
        [first, last],
      );
      for (const each of result.copies) await assertSame(each.sourceSnapshotId, each.snapshotId);
      assert.equal(result.deleted.length, 1, "and what was gone before is deleted");
      assert.equal(notes[0]?.event, "original-gone");
      assert.match(notes[0]?.message ?? "", new RegExp(`^${pruned}: It was deleted at`));
      assert.equal((await allIds(destination)).length, 2, "nothing of it is left");
      assert.deepEqual(await readdir(join(folder, "state")), []);
    });
  }
});

test("copySnapshots tells that what it was to copy is gone, and leaves nothing", async (t) => {
  const { source, destination, upload } = await setUp(t);
  const id = await upload({ 0: 2, 1: 3, 2: 4 });
  const from = before(source, named("GetSnapshotBlock"), () => deleteSnapshot(source, id));
  const options = { snapshotIds: [id], concurrency: 1 };
  const failure: CopyError = await copySnapshots(from, destination, options).then(
    () => assert.fail("it cannot be copied"),
    (error) => error,
  );
  assert.ok(failure.isSourceGone && isSnapshotNotFound(failure.cause), String(failure));
  assert.match(
    failure.aftermath,
    /^It was deleted at .* The unfinished copy snap-\w+ was deleted\.$/,
  );
  assert.deepEqual(await allIds(destination), []);
});

test("where only the base is pruned meanwhile, the copy is begun without it", async (t) => {
  for (const as of ["Varve", "AWS"] as const) {
    await t.test(as, async (t) => {
      const world = await setUp(t);
      const { destination, upload, sync, notes, assertSame } = world;
      const dress = as === "AWS" ? asAws : (client: Client) => client;
      const clients = { from: dress(world.source), to: dress(destination) };
      const first = await upload({ 0: 1, 1: 2, 2: 3, 3: 4 });
      await sync({}, clients);
      const second = await upload({ 0: 1, 1: 5, 2: 6, 3: 4 }, first);
      // Where lineages are not told, whether the two are related was asked before.
      let calls = 0;
      const isMeant = (call: Call<unknown>) =>
        call.operation === "ListChangedBlocks" && ++calls === (as === "AWS" ? 2 : 1);
      const from = before(clients.from, isMeant, () => deleteSnapshot(world.source, first));
      const { copies, vanished } = await sync({}, { ...clients, from });
      assert.deepEqual(vanished, []);
      assert.equal(copies.length, 1);
      // Two Varves compare checksums instead; elsewhere all of it is copied.
      assert.equal(copies[0]?.blocksSent, as === "AWS" ? 4 : 2);
      assert.equal(copies[0]?.parentSnapshotId === undefined, as === "AWS");
      await assertSame(second, copies[0]?.snapshotId);
      assert.match(
        notes[0]?.message ?? "",
        new RegExp(`${second} begins anew: ${first} was deleted`),
      );
      const { Snapshots } = await describeSnapshots(destination);
      assert.deepEqual(
        Snapshots.map(({ State }) => State),
        ["completed", "completed"],
      );
    });
  }
});

test("where the base's copy is deleted meanwhile, the copy is begun without it", async (t) => {
  const { destination, upload, sync, assertSame } = await setUp(t);
  const first = await upload({ 0: 1, 1: 2 });
  const parent = (await sync()).copies[0]?.snapshotId ?? "";
  const second = await upload({ 0: 1, 1: 5 }, first);
  const prune = () => deleteSnapshot(destination, parent);
  const to = before(destination, named("StartSnapshot"), prune);
  const { copies } = await sync({}, { to });
  assert.deepEqual([copies[0]?.parentSnapshotId, copies[0]?.blocksSent], [undefined, 2]);
  await assertSame(second, copies[0]?.snapshotId);
});

test("an unfinished copy whose base was pruned since is deleted, and made anew", async (t) => {
  const { source, destination, upload, sync, assertSame } = await setUp(t);
  const first = await upload({ 0: 1, 1: 2 });
  await sync();
  const second = await upload({ 0: 3, 1: 4 }, first);
  const parts = { kind: "connection", operation: "PutSnapshotBlock", code: "EPIPE" } as const;
  const to = before(destination, named("PutSnapshotBlock"), () => {
    throw new ClientError({ ...parts, message: "cut off" });
  });
  await assert.rejects(sync({}, { to }), /cut off/);
  await deleteSnapshot(source, first);
  const { copies } = await sync();
  await assertSame(second, copies[0]?.snapshotId);
  assert.equal((await allIds(destination)).length, 2, "the unfinished one is gone");
});
