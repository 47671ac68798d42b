import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { CATALOG_VERSION } from "../../src/catalog/sqlite/sqlite-catalog.ts";
import { isKeyDomain, type SnapshotId } from "../../src/model/ids.ts";
import { rebuildStore } from "../../src/rebuild-store.ts";
import { openService, type Service } from "../../src/service.ts";
import { completeSnapshot } from "../../src/snapshots/complete-snapshot.ts";
import { getSnapshotBlock } from "../../src/snapshots/get-snapshot-block.ts";
import { listSnapshotBlocks } from "../../src/snapshots/list-snapshot-blocks.ts";
import { restoreSnapshot } from "../../src/snapshots/recycle-bin.ts";
import {
  clockAt,
  GOLDEN_CONFIG,
  type Golden,
  type GoldenSnapshot,
  goldenStores,
  unpackGolden,
} from "../golden/golden.ts";
import { readAt, writeAt } from "../support/damage.ts";
import { blockContents } from "../support/property.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { killMigrations } from "./_killed-migrations.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

const PLACE = { host: "127.0.0.1", port: 0, region: "us-east-1" };

scorecard({
  number: 14,
  name: "formats: old stores, newer stores, interrupted migrations",
  goal:
    "stores of every release read, and rebuilt from their segments, 100 %; a newer store refused " +
    "and unchanged, 100 %; migrations killed at any call that changes a file recover, 100 %; two " +
    "processes never in one store",
  peer: "borg: mandatory feature flags; kopia: compatibility tests",
  async run(run) {
    const golden = await readGoldenStores(run);
    const rebuilt = await rebuildGoldenStores(run);
    const newer = await refuseNewer(run);
    const migrated = await killMigrations(run);
    const kills = await oneProcessOnly(run);
    return [golden, rebuilt, newer, migrated, kills].join("; ");
  },
});

async function readGoldenStores(run: ScorecardRun): Promise<string> {
  const stores = await goldenStores();
  assert.ok(stores.length > 0);
  let blocks = 0;
  for (const golden of stores) {
    const dataDirectory = await temporaryDirectory(run);
    await unpackGolden(golden, dataDirectory);
    for (const round of ["opened", "opened again"] as const) {
      const service = await openGolden(golden, dataDirectory);
      try {
        for (const one of golden.snapshots) {
          // At the second opening, what was pending or in the recycle bin is completed.
          if (round === "opened") await finish(service, one);
          blocks += await readAll(service, golden, one);
        }
      } finally {
        await service.close();
      }
    }
  }
  const versions = stores.map(({ version }) => version).join(", ");
  return `${stores.length} of ${stores.length} golden stores read (${versions}: ${blocks} blocks)`;
}

function openGolden({ timeMs }: Golden, dataDirectory: string): Promise<Service> {
  return openService({ ...PLACE, ...GOLDEN_CONFIG, dataDirectory, clock: clockAt(timeMs), log });
}

function log(entry: object): void {
  throw new Error(`logged: ${JSON.stringify(entry)}`);
}

async function finish({ core, firstKey }: Service, one: GoldenSnapshot): Promise<void> {
  const { account } = firstKey.key;
  const row = await core.catalog.snapshots.get(one.id as SnapshotId);
  assert.equal(row?.state, one.state, one.id);
  if (one.state === "recycled") await restoreSnapshot(core, account, one.id);
  if (one.state !== "pending") return;
  const counted = { changedBlocksCount: one.blocks.length, linearDigest: undefined };
  await completeSnapshot(core, account, { snapshotId: one.id, ...counted });
  await core.sealer.idle();
}

async function readAll(
  { core, firstKey }: Service,
  { snapshots }: Golden,
  one: GoldenSnapshot,
): Promise<number> {
  const { account } = firstKey.key;
  const row = await core.catalog.snapshots.get(one.id as SnapshotId);
  assert.ok(row);
  const { state, description, tags, volumeSizeGib } = row;
  assert.deepEqual(
    { state, description, tags, volumeSizeGib, isEncrypted: isKeyDomain(row.domain) },
    {
      ...{ state: "completed", description: one.description, tags: one.tags },
      ...{ volumeSizeGib: one.volumeSizeGib, isEncrypted: one.isEncrypted },
    },
  );
  // What is listed first is the parent of what was under way.
  const inherited = one.state === "pending" ? (snapshots[0]?.blocks ?? []) : [];
  const expected = new Map([...inherited, ...one.blocks]);
  const page = { nextToken: undefined, maxResults: undefined, startingBlockIndex: undefined };
  const { blocks } = await listSnapshotBlocks(core, account, { snapshotId: one.id, ...page });
  assert.deepEqual(
    blocks.map(({ blockIndex }) => blockIndex),
    [...expected.keys()].sort((a, b) => a - b),
  );
  for (const { blockIndex, blockToken } of blocks) {
    const input = { snapshotId: one.id, blockIndex, blockToken };
    const { bytes } = await getSnapshotBlock(core, account, input);
    const isSame = Buffer.compare(bytes, blockContents(expected.get(blockIndex) as number)) === 0;
    assert.ok(isSame, `block ${blockIndex} of ${one.id}`);
  }
  return blocks.length;
}

/** The catalog is lost; all that is completed is found again in what a release left of segments. */
async function rebuildGoldenStores(run: ScorecardRun): Promise<string> {
  const stores = await goldenStores();
  let count = 0;
  for (const golden of stores) {
    const [dataDirectory, lost] = [await temporaryDirectory(run), await temporaryDirectory(run)];
    for (const directory of [dataDirectory, lost]) await unpackGolden(golden, directory);
    const before = await rowsOf(golden, dataDirectory);
    await loseCatalog(lost);
    const { keyEncryptionKey } = GOLDEN_CONFIG;
    const { outcome, ...found } = await rebuildStore({ dataDirectory: lost, keyEncryptionKey });
    assert.deepEqual(
      [outcome, found.incomplete, found.unreadable, found.damagedCount, found.unknownBytes],
      ["replaced", [], [], 0, 0],
    );
    assert.deepEqual(await rowsOf(golden, lost), before, "each is there, with all that is known");
    const service = await openGolden(golden, lost);
    try {
      for (const one of golden.snapshots) {
        if (one.state === "pending") continue;
        if (one.state === "recycled") await finish(service, one);
        await readAll(service, golden, one);
        count += 1;
      }
    } finally {
      await service.close();
    }
  }
  return `${stores.length} of ${stores.length} rebuilt (${count} snapshots identical)`;
}

/** What the catalog says of each snapshot that was completed. */
async function rowsOf(golden: Golden, dataDirectory: string) {
  const service = await openGolden(golden, dataDirectory);
  try {
    const completed = golden.snapshots.filter(({ state }) => state !== "pending");
    const rows = completed.map(async ({ id }) => {
      const row = await service.core.catalog.snapshots.get(id as SnapshotId);
      assert.ok(row, id);
      // What mattered while it was under way.
      const { expiresAtMs, parentRoot, parentBlockCount, completion, ...lasting } = row;
      return lasting;
    });
    return await Promise.all(rows);
  } finally {
    await service.close();
  }
}

interface Newer {
  readonly what: "catalog" | "segment";
  readonly version: number;
}

/** What a newer Varve would have left: its version in the catalog, or in its newest segment. */
const NEWER: readonly Newer[] = [
  { what: "catalog", version: CATALOG_VERSION + 1 },
  { what: "catalog", version: CATALOG_VERSION + 100 },
  { what: "segment", version: 2 },
  { what: "segment", version: 100 },
];

/** A store of tomorrow stays as it is, to the byte. */
async function refuseNewer(run: ScorecardRun): Promise<string> {
  let count = 0;
  for (const golden of await goldenStores()) {
    for (const newer of NEWER) {
      const dataDirectory = await temporaryDirectory(run);
      await unpackGolden(golden, dataDirectory);
      // Whoever wrote newer segments has brought the catalog to a version of today at least.
      await (await openGolden(golden, dataDirectory)).close();
      await renew(dataDirectory, newer);
      const before = await filesOf(dataDirectory);
      await assert.rejects(openGolden(golden, dataDirectory), /newer Varve/);
      assert.deepEqual(await filesOf(dataDirectory), before);
      await refuseToRebuild(dataDirectory, newer.what);
      count += 1;
    }
  }
  return `${count} of ${count} newer stores refused and unchanged`;
}

async function renew(dataDirectory: string, { what, version }: Newer): Promise<void> {
  if (what === "catalog") {
    const database = new DatabaseSync(join(dataDirectory, "catalog.sqlite"));
    database.exec(`PRAGMA user_version = ${version}`);
    database.close();
    return;
  }
  const names = await readdir(join(dataDirectory, "segments"));
  const path = join(dataDirectory, "segments", names.sort().at(-1) as string);
  const header = await readAt(path, 0, 16);
  header.writeUInt32LE(version, 8);
  await writeAt(path, 0, header);
}

/** No catalog is made of what only a newer Varve reads; nothing of the attempt is left. */
async function refuseToRebuild(dataDirectory: string, what: Newer["what"]): Promise<void> {
  if (what === "segment") await loseCatalog(dataDirectory);
  const before = await filesOf(dataDirectory);
  const { keyEncryptionKey } = GOLDEN_CONFIG;
  await assert.rejects(rebuildStore({ dataDirectory, keyEncryptionKey }), /newer Varve/);
  assert.deepEqual(await filesOf(dataDirectory), before);
}

async function loseCatalog(dataDirectory: string): Promise<void> {
  for (const end of ["", "-wal"]) {
    await rm(join(dataDirectory, `catalog.sqlite${end}`), { force: true });
  }
}

async function filesOf(directory: string): Promise<[path: string, contents: string][]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  return Promise.all(
    paths.sort().map(async (path) => [path, (await readFile(path)).toString("base64")] as const),
  ) as Promise<[string, string][]>;
}

/** While one process has the store no other gets it, and after its death by force the next does. */
async function oneProcessOnly(run: ScorecardRun): Promise<string> {
  const count = run.count(50, 1);
  const dataDirectory = await temporaryDirectory(run);
  const open = () => openService({ ...PLACE, dataDirectory, collectMinutes: 0, log });
  for (let i = 0; i < count; i++) {
    const script = join(import.meta.dirname, "../crash/server.ts");
    const options = ["--disable-warning=ExperimentalWarning", script, dataDirectory];
    const child = spawn(process.execPath, options, { stdio: ["ignore", "pipe", "ignore"] });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    run.after(() => child.kill("SIGKILL"));
    await new Promise((resolve) => child.stdout.once("data", resolve));
    for (let tries = 0; tries < 3; tries++) {
      await assert.rejects(open(), { name: "StoreInUseError" });
    }
    child.kill("SIGKILL");
    await exited;
    await (await open()).close();
  }
  return `${count} kills: a second process let in 0 of ${3 * count} times, refused afterwards 0`;
}
