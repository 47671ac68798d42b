import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import type { AccountId } from "../../src/model/ids.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { openEmbeddedStore } from "../../src/open-store.ts";
import { rebuildStore } from "../../src/rebuild-store.ts";
import { FileSegments } from "../../src/segments/file-segments.ts";
import { type LogEntry, type Service, serveStore } from "../../src/service.ts";
import { pick, seededFraction } from "../support/property.ts";
import { REGION, startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";
import { fillLargely, LARGE_BLOCK_COUNT, sizeInWords } from "./_large-store.ts";
import { checkWhole, Ledger, someWrites, type Told } from "./_ledger.ts";
import { type Copied, collectNow, copyUnderLoad } from "./_live-copy.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

/*
 * The catalog is lost, and made anew from the segments, some of which a collector has given back
 * after it moved what was needed: every completed snapshot comes back, byte for byte, with its
 * tags, and so do accounts, keys, encryption keys, settings, images. What was deleted stays
 * deleted. On a healthy store nothing changes.
 *
 * A copy of the segments taken while the service runs, and takes snapshots and deletes others, is
 * a backup: what was completed before it began is in it, whole, unless it was deleted before it
 * ended; what came or went meanwhile is in it whole, or not at all. That is so without a collector
 * meanwhile, as docs/operating.md tells people to copy. With one, segments go in the middle of the
 * copy, and it is so of a copy that is begun again until it has found every file that it has seen.
 */

/** So small that new segments begin, and old ones are given back, all the time. */
const SEGMENT_BYTES = { full: 4_000_000, short: 1_500_000 };

scorecard({
  number: 8,
  name: "rebuild from segments",
  goal: "all completed snapshots identical; a healthy store's files unchanged; ≥ 150 MB/s",
  peer: "restic repair index; borg check --repair lost data in 1.1.0 to 1.1.3",
  async run(run) {
    const dataDirectory = await temporaryDirectory(run);
    const ledger = new Ledger();
    const service = await startOnSmallSegments(run, dataDirectory);
    const given = await fill(service, ledger, run);
    const copies = [];
    for (const collects of [false, true]) {
      copies.push(await copyAndRebuild(run, service, { ledger, collects }));
    }
    const before = await stateOf(service);
    await service.close();
    const healthy = await hashesOf(dataDirectory);
    const unchanged = await rebuildStore({ dataDirectory });
    assert.equal(unchanged.outcome, "healthy");
    assert.deepEqual(await hashesOf(dataDirectory), healthy, "a healthy store is left alone");
    await loseAndRebuild(dataDirectory);
    const again = await startService(run, { dataDirectory, collectMinutes: 0 });
    const lasting = ledger.lasting();
    const check = async () => {
      assert.deepEqual(await stateOf(again), before, "all of it is back");
      for (const told of lasting) await checkWhole(again.core, told);
    };
    await check();
    // What the rebuilt catalog does not know to be needed would go now.
    for (let i = 0; i < 3; i++) await collectNow(again);
    await check();
    await again.close();
    return (
      `${lasting.length} of ${lasting.length} snapshots identical after a loss, and after ` +
      `collections on what was rebuilt (${given} segments had been given back before); ` +
      `${copies.join("; ")}; 0 bytes of a healthy store changed; ${await rebuildLargely(run)}`
    );
  },
});

async function startOnSmallSegments(run: ScorecardRun, dataDirectory: string): Promise<Service> {
  const logged: LogEntry[] = [];
  const log = (entry: LogEntry) => logged.push(entry);
  const parts = { clock: systemClock, random: systemRandom, log: () => undefined };
  const store = await openEmbeddedStore(dataDirectory, parts);
  await store.segments.close();
  const segments = await FileSegments.open({
    directory: join(dataDirectory, "segments"),
    segmentSizeBytesMax: SEGMENT_BYTES[run.isFull ? "full" : "short"],
  });
  const close = async () => {
    await segments.close();
    await store.close();
  };
  const place = { host: "127.0.0.1", port: 0, region: REGION };
  const config = { ...place, dataDirectory, collectMinutes: 0, scrubDays: 0, log };
  const service = await serveStore(config, { ...store, segments, close });
  run.after(async () => {
    await service.close();
    assert.deepEqual(logged, [], "the service logged no error");
  });
  return service;
}

/**
 * Lineages, with children, deleted parents, zeros, encryption, a second account; collected and
 * compacted in between. Answers how many segments that gave back.
 */
async function fill(service: Service, ledger: Ledger, run: ScorecardRun): Promise<number> {
  const { core, firstKey } = service;
  const { account } = firstKey.key;
  const fraction = seededFraction(run.seed);
  const encryptionKey = await core.keys.create(account, "a key of its own");
  const kmsKeyArn = `arn:aws:kms:${core.region}:${account}:key/${encryptionKey.id}`;
  await core.catalog.encryption.setDefaults(account, { keyId: encryptionKey.id });
  await core.catalog.identity.addAccount(OTHER);
  await core.catalog.settings.put(account, "a setting", "a value");
  await core.tokenSecrets.rotate({ revokes: false });
  let parent: Told | undefined;
  let given = 0;
  for (let n = 0; n < run.count(400, 12); n++) {
    const isRoot = n % 5 === 0;
    const wish = isRoot && n % 2 === 0 ? { kmsKeyArn } : {};
    const beginning = { ...wish, parent: isRoot ? undefined : parent, tags: tagsOf(n) };
    const count = run.count(24, 6);
    // Every other does not compress, so that there are enough bytes to read.
    const contents = () => compressibleOrNot(pick(fraction, run.count(4_000, 40)));
    const told = await ledger.write(service, someWrites(fraction, { count, contents }), beginning);
    if (parent && n % 3 === 0) await ledger.delete(service, parent);
    parent = told;
    if (n % 4 === 3) given += await makeRoom(service, ledger, run);
  }
  assert.ok(parent && given > 0, "segments were given back");
  await core.catalog.sharing.changeGrantees(parent.id, { add: [OTHER], remove: [] });
  await core.catalog.snapshots.changeTags(parent.id, () => [{ Key: "changed", Value: "later" }]);
  // One under way, which a loss of the catalog loses.
  await ledger.begin(service, new Map([[0, LOST]]), { parent });
  return given;
}

const OTHER = "444455556666" as AccountId;
/** Contents that nothing else has, nor have those above it that makeRoom writes. */
const LOST = 8_000_007;

function compressibleOrNot(number: number): number {
  return number % 2 === 0 ? number : 8 * number + 7;
}

/** Fills a segment with garbage, and has it given back; answers how many were. */
async function makeRoom(service: Service, ledger: Ledger, run: ScorecardRun): Promise<number> {
  const count = Math.ceil(SEGMENT_BYTES[run.isFull ? "full" : "short"] / BLOCK_SIZE_BYTES);
  const first = LOST + 8 * (1 + ledger.putCount);
  const garbage = Array.from({ length: count }, (_, i) => [i, first + 8 * i] as const);
  await ledger.delete(service, await ledger.write(service, new Map(garbage)));
  await collectNow(service);
  return (await collectNow(service)).segmentCount;
}

function tagsOf(n: number) {
  return n % 2 === 0 ? [] : [{ Key: "number", Value: String(n) }];
}

/** Copies the store while it runs, makes the copy's catalog, and looks whether all is there. */
async function copyAndRebuild(
  run: ScorecardRun,
  service: Service,
  { ledger, collects }: { readonly ledger: Ledger; readonly collects: boolean },
): Promise<string> {
  // As of about a second before the copy: what was changed before is written down by itself.
  const changes = () => service.core.catalog.journal.changes(1);
  await waitUntil(changes, ({ length }) => length === 0);
  const known = await stateOf(service);
  const gone = ledger.deleted();
  const dataDirectory = await temporaryDirectory(run);
  const load = { seed: run.seed, writers: 3, putsAFile: run.isFull ? 8 : 2 };
  const putsBefore = ledger.putCount;
  const copied = await copyUnderLoad(service, dataDirectory, { ...load, ledger, collects });
  assert.ok(collects || copied.passes === 1, "without a collection no segment goes");
  const rebuilt = await rebuildStore({ dataDirectory });
  assert.deepEqual([rebuilt.outcome, rebuilt.incomplete, rebuilt.unreadable], ["replaced", [], []]);
  const copy = await startService(run, { dataDirectory, collectMinutes: 0 });
  const counts = await checkCopy(copy, { ledger, copied, gone });
  const { snapshots, ...rest } = await stateOf(copy);
  const { snapshots: knownSnapshots, ...knownRest } = known;
  assert.deepEqual(rest, knownRest);
  for (const { id, isDeleted } of copied.before) {
    const row = knownSnapshots[id];
    if (row && !isDeleted) assert.deepEqual(snapshots[id], row, `what is known of ${id}`);
  }
  await copy.close();
  const beside = collects
    ? `${copied.removedSegmentCount} segments given back (${copied.goneCount} files were gone, ` +
      `${copied.passes} passes)`
    : "no collection";
  return (
    `a copy beside ${ledger.putCount - putsBefore} puts and ${beside}: ${counts.lasting} of ` +
    `${counts.lasting} snapshots whole, and ${counts.meanwhile} of those that came or went`
  );
}

/** All that was there the whole time is in the copy, and whatever else is in it is whole. */
async function checkCopy(
  { core }: Service,
  known: { readonly ledger: Ledger; readonly copied: Copied; readonly gone: readonly Told[] },
): Promise<{ readonly lasting: number; readonly meanwhile: number }> {
  const { ledger, copied, gone } = known;
  const lasting = copied.before.filter(({ isDeleted }) => !isDeleted);
  for (const told of lasting) await checkWhole(core, told);
  const wanted = new Set<string>(lasting.map(({ id }) => id));
  const found = await core.catalog.snapshots.inState("completed");
  const others = found.filter(({ id }) => !wanted.has(id));
  for (const { id } of others) {
    const told = ledger.told.get(id);
    assert.ok(told, `${id} was completed by somebody`);
    assert.ok(!gone.includes(told), `${id} was deleted before the copy began`);
    await checkWhole(core, told);
  }
  assert.ok(lasting.length > 0);
  return { lasting: lasting.length, meanwhile: others.length };
}

/** Answers how many bytes of segments were gone through in a second. */
async function loseAndRebuild(dataDirectory: string): Promise<number> {
  for (const end of ["", "-wal"]) {
    await rm(join(dataDirectory, `catalog.sqlite${end}`), { force: true });
  }
  const start = performance.now();
  const rebuilt = await rebuildStore({ dataDirectory });
  const seconds = (performance.now() - start) / 1000;
  assert.deepEqual([rebuilt.outcome, rebuilt.incomplete, rebuilt.unreadable], ["replaced", [], []]);
  return (await sizeOf(join(dataDirectory, "segments"))) / seconds;
}

/** How fast it goes where most bytes are contents. */
async function rebuildLargely(run: ScorecardRun): Promise<string> {
  const dataDirectory = await temporaryDirectory(run);
  const ledger = new Ledger();
  const service = await startService(run, { dataDirectory, collectMinutes: 0, scrubDays: 0 });
  await fillLargely(service, ledger, run.count(LARGE_BLOCK_COUNT, 40));
  await service.close();
  const bytesPerSecond = await loseAndRebuild(dataDirectory);
  const again = await startService(run, { dataDirectory, collectMinutes: 0, scrubDays: 0 });
  let checkedCount = 0;
  for (const told of ledger.lasting()) checkedCount += await checkWhole(again.core, told);
  await again.close();
  assert.equal(checkedCount, ledger.putCount);
  return (
    `${sizeInWords(checkedCount)} rebuilt at ${Math.round(bytesPerSecond / 1e6)} MB/s, ` +
    `${checkedCount} of ${checkedCount} blocks whole`
  );
}

/** All that is known beside blocks: of snapshots, accounts and keys. */
async function stateOf({ core, firstKey }: Service) {
  const { catalog } = core;
  const { account } = firstKey.key;
  const snapshots: Record<string, unknown> = {};
  for (const snapshot of await catalog.snapshots.inState("completed")) {
    const grantees = await catalog.sharing.grantees(snapshot.id);
    const { expiresAtMs, parentRoot, parentBlockCount, completion, ...lasting } = snapshot;
    snapshots[snapshot.id] = { ...lasting, grantees };
  }
  const keys = await catalog.identity.accessKeys(account);
  const encryptionKeys = await catalog.encryption.page(account, "", 100);
  const defaults = await catalog.encryption.defaults(account);
  const setting = await catalog.settings.get(account, "a setting");
  const accounts = await catalog.identity.accounts();
  const secrets = [
    await catalog.identity.secrets("token-secret"),
    await catalog.identity.secrets("session-secret"),
  ];
  return { snapshots, keys, encryptionKeys, defaults, setting, accounts, secrets };
}

async function hashesOf(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const hashes: Record<string, string> = {};
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    hashes[path] = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  }
  return hashes;
}

async function sizeOf(directory: string): Promise<number> {
  const names = await readdir(directory);
  const sizes = await Promise.all(
    names.map(async (name) => (await stat(join(directory, name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
