import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFile, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  CATALOG_VERSION,
  MIGRATIONS,
  openSqliteCatalog,
} from "../../src/catalog/sqlite/sqlite-catalog.ts";
import type { RecordName } from "../../src/model/digest.ts";
import { type AccountId, isKeyDomain, type SnapshotId } from "../../src/model/ids.ts";
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
import { blockContents, pick, seededFraction } from "../support/property.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

const PLACE = { host: "127.0.0.1", port: 0, region: "us-east-1" };
const ACCOUNT = "111122223333" as AccountId;
const ID = "snap-0123456789abcdef0" as SnapshotId;
const NAME = "ab".repeat(32) as RecordName;

scorecard({
  number: 14,
  name: "formats: old stores, newer stores, interrupted migrations",
  goal:
    "stores of every release read, 100 %; a newer store refused and unchanged, 100 %; migrations " +
    "ended between any two statements recover, 100 %; two processes never in one store",
  peer: "borg: mandatory feature flags; kopia: compatibility tests",
  async run(run) {
    const golden = await readGoldenStores(run);
    const newer = await refuseNewer(run);
    const migrated = await migrateFromEach(run);
    const kills = await oneProcessOnly(run);
    return [golden, newer, migrated, kills].join("; ");
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

/** A store of tomorrow stays as it is, to the byte. */
async function refuseNewer(run: ScorecardRun): Promise<string> {
  let count = 0;
  for (const golden of await goldenStores()) {
    for (const version of [CATALOG_VERSION + 1, CATALOG_VERSION + 100]) {
      const dataDirectory = await temporaryDirectory(run);
      await unpackGolden(golden, dataDirectory);
      const database = new DatabaseSync(join(dataDirectory, "catalog.sqlite"));
      database.exec(`PRAGMA user_version = ${version}`);
      database.close();
      const before = await filesOf(dataDirectory);
      await assert.rejects(openGolden(golden, dataDirectory), /newer Varve/);
      assert.deepEqual(await filesOf(dataDirectory), before);
      count += 1;
    }
  }
  return `${count} of ${count} newer stores refused and unchanged`;
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

/** From each earlier version, ended after each statement: the files as a killed process leaves. */
async function migrateFromEach(run: ScorecardRun): Promise<string> {
  const fraction = seededFraction(run.seed);
  let points = 0;
  for (let version = 1; version < CATALOG_VERSION; version++) {
    const statements = MIGRATIONS.slice(version).flatMap(statementsOf);
    const all = statements.map((_, i) => i + 1);
    const some = [pick(fraction, statements.length) + 1];
    for (const count of run.isFull ? [0, ...all] : [0, ...some]) {
      await migrateInterrupted(run, { version, statements: statements.slice(0, count) });
      points += 1;
    }
  }
  const from = `from ${CATALOG_VERSION - 1} versions`;
  return `${points} of ${points} interrupted migrations ${from} recovered`;
}

/** A trigger holds statements of its own; comments may hold anything. */
function statementsOf(migration: string): string[] {
  const bare = migration.replace(/--.*$/gm, "");
  return bare.match(/\s*(?:CREATE TRIGGER[\s\S]*?END;|[^;]+;)/g) ?? [];
}

async function migrateInterrupted(
  run: ScorecardRun,
  { version, statements }: { readonly version: number; readonly statements: readonly string[] },
): Promise<void> {
  const directory = await temporaryDirectory(run);
  const [killed, left] = [join(directory, "killed"), join(directory, "left")];
  for (const folder of [killed, left]) await mkdir(folder);
  const old = new DatabaseSync(join(killed, "catalog.sqlite"));
  old.exec("PRAGMA journal_mode = WAL");
  fill(old, version);
  old.exec("BEGIN IMMEDIATE");
  for (const statement of statements) old.exec(statement);
  for (const name of await readdir(killed)) {
    if (!name.endsWith("-shm")) await copyFile(join(killed, name), join(left, name));
  }
  old.exec("ROLLBACK");
  old.close();
  await checkFilled(join(left, "catalog.sqlite"));
}

/** A catalog as an earlier version wrote it. */
function fill(database: DatabaseSync, version: number): void {
  for (const migration of MIGRATIONS.slice(0, version)) database.exec(migration);
  const columns = database.prepare("PRAGMA table_info(snapshots)").all();
  const hasDomain = columns.some((column) => column["name"] === "domain");
  const writes = database.prepare("PRAGMA table_info(pending_writes)").all();
  const nameColumn = writes.some((column) => column["name"] === "name") ? "name" : "digest";
  const places = database.prepare("PRAGMA table_info(locations)").all();
  const [domainColumn, recordColumn] = places.map((column) => String(column["name"]));
  database.exec(`
    INSERT INTO accounts (id, position) VALUES ('${ACCOUNT}', 0);
    INSERT INTO access_keys (id, secret, account, active)
      VALUES ('AKIAOLD', 'secret', '${ACCOUNT}', 1);
    INSERT INTO meta (name, value) VALUES ('token-secret', x'00112233');
    INSERT INTO snapshots (id, account, state, lineage, volume_size_gib, description, tags,
      start_time_ms, timeout_minutes, expires_at_ms, parent_block_count, block_count,
      written_block_count${hasDomain ? ", domain" : ""})
    VALUES ('${ID}', '${ACCOUNT}', 'pending', '${ID}', 5, 'old', '[]', 17, 60, 18, 0, 0, 0
      ${hasDomain ? `, '${ACCOUNT}'` : ""});
    INSERT INTO pending_writes (snapshot, block_index, ${nameColumn}) VALUES (1, 9, x'${NAME}');
    INSERT INTO locations (${domainColumn}, ${recordColumn}, segment, offset, length)
      VALUES ('${ACCOUNT}', x'${NAME}', 3, 16, 400);
    PRAGMA user_version = ${version}`);
}

/** Nothing of it is lost in the catalog of today. */
async function checkFilled(path: string): Promise<void> {
  const catalog = openSqliteCatalog(path);
  try {
    const { snapshots, blocks, identity, segments } = catalog;
    const row = await snapshots.get(ID);
    assert.deepEqual(
      [row?.state, row?.volumeSizeGib, row?.description, row?.startTimeMs, row?.domain],
      ["pending", 5, "old", 17, ACCOUNT],
    );
    assert.deepEqual(await blocks.pendingWrites(ID, 0, 10), [{ blockIndex: 9, name: NAME }]);
    const location = await blocks.locate(ACCOUNT, NAME);
    assert.deepEqual({ ...location }, { segment: 3, offset: 16, length: 400 });
    assert.deepEqual(await segments.liveBytes(), new Map([[3, 400]]));
    const key = await identity.accessKey("AKIAOLD");
    assert.deepEqual([key?.secretAccessKey, key?.active, key?.policy], ["secret", true, undefined]);
    const [secret, ...others] = await identity.secrets("token-secret");
    assert.deepEqual(Buffer.from(secret?.value ?? []).toString("hex"), "00112233");
    assert.deepEqual([secret?.number, secret?.createdAtMs, others], [0, 0, []]);
  } finally {
    await catalog.close();
  }
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
