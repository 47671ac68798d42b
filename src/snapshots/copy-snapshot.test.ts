import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { openSqliteCatalog } from "../catalog/sqlite/sqlite-catalog.ts";
import type { Digest, RecordName } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import type { AccountId, SnapshotId } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { copySnapshot } from "./copy-snapshot.ts";
import type { Core } from "./core.ts";

const OWNER = "111122223333" as AccountId;
const COPIER = "444455556666" as AccountId;
const ROOT = "a1".repeat(32) as Digest;
const MANIFEST = "b2".repeat(32) as RecordName;
const ID = "snap-01" as SnapshotId;
const DELETION = { nowMs: 0, binnedUntilMs: undefined };
const INPUT = {
  sourceSnapshotId: ID,
  description: "a copy",
  tags: [],
  encrypted: undefined,
  kmsKeyId: undefined,
};

test("copySnapshot shares root, domain and lineage; its manifest goes first", async (t) => {
  const { core, manifests, catalog } = await setUp(t);
  const copy = await copySnapshot(core, COPIER, INPUT);
  assert.ok(typeof copy === "object");
  assert.deepEqual(await catalog.snapshots.get(copy.id), copy);
  const { account, domain, lineage, root, blockCount, parent, state } = copy;
  assert.deepEqual([account, domain, lineage, root], [COPIER, OWNER, ID, ROOT]);
  assert.deepEqual([blockCount, parent, state], [5, undefined, "completed"]);
  assert.deepEqual(manifests, [{ domain: OWNER, id: copy.id, account: COPIER, rowIsThere: false }]);
});

test("copySnapshot leaves no copy of a source that is deleted meanwhile", async (t) => {
  const { core, catalog, hooks } = await setUp(t);
  hooks.beforeManifest = () => catalog.snapshots.delete(ID, DELETION);
  assert.equal(await copySnapshot(core, COPIER, INPUT), undefined);
  assert.deepEqual(await catalog.snapshots.page(COPIER, "", 10), []);
});

test("copySnapshot stores a manifest again that was collected before it was named", async (t) => {
  const { core, catalog, hooks, manifests } = await setUp(t);
  hooks.isCollected = () => manifests.length < 3;
  const copy = await copySnapshot(core, COPIER, INPUT);
  assert.ok(typeof copy === "object");
  assert.equal(manifests.length, 3);
  assert.deepEqual(await catalog.snapshots.get(copy.id), copy);
});

test("copySnapshot gives up where the manifest is never found", async (t) => {
  const { core, catalog, hooks } = await setUp(t);
  hooks.isCollected = () => true;
  await assert.rejects(copySnapshot(core, COPIER, INPUT), CorruptionError);
  assert.deepEqual(await catalog.snapshots.page(COPIER, "", 10), []);
});

/** A catalog with one completed snapshot, shared with the copier; manifests are only noted. */
async function setUp(t: TestContext) {
  const catalog = openSqliteCatalog(join(await temporaryDirectory(t), "catalog.sqlite"));
  t.after(() => catalog.close());
  for (const account of [OWNER, COPIER]) await catalog.identity.addAccount(account);
  if (SOURCE.manifest) await store(catalog, SOURCE.manifest);
  await catalog.snapshots.start(SOURCE, undefined);
  await catalog.sharing.changeGrantees(ID, { add: [COPIER], remove: [] });
  const manifests: object[] = [];
  const hooks = {
    beforeManifest: async (): Promise<unknown> => undefined,
    /** True where the manifest is collected before the copy names it. */
    isCollected: () => false,
  };
  const blocks = {
    async putManifest(domain: AccountId, bytes: Uint8Array) {
      await hooks.beforeManifest();
      const { id, account } = JSON.parse(Buffer.from(bytes).toString());
      const rowIsThere = (await catalog.snapshots.get(id)) !== undefined;
      manifests.push({ domain, id, account, rowIsThere });
      if (!hooks.isCollected()) await store(catalog, MANIFEST);
      return MANIFEST;
    },
  };
  const checkRoom = () => undefined;
  const parts = { catalog, blocks, clock: systemClock, random: systemRandom, checkRoom };
  return { core: parts as unknown as Core, catalog, manifests, hooks };
}

async function store(catalog: Catalog, name: RecordName): Promise<void> {
  const place = { segment: 1, offset: 0, length: 100, replaces: false };
  await catalog.blocks.commit([{ domain: OWNER, name, ...place }], []);
}

const SOURCE: Snapshot = {
  id: ID,
  account: OWNER,
  domain: OWNER,
  state: "completed",
  stateMessage: undefined,
  parent: "snap-00" as SnapshotId,
  lineage: ID,
  volumeSizeGib: 1,
  description: "the source",
  tags: [{ Key: "not", Value: "copied" }],
  startTimeMs: 0,
  completionTimeMs: 1,
  timeoutMinutes: 60,
  expiresAtMs: 1,
  parentRoot: ROOT,
  parentBlockCount: 4,
  root: ROOT,
  blockCount: 5,
  writtenBlockCount: 1,
  completion: undefined,
  manifest: undefined,
};
