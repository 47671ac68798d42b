import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { MIGRATIONS, openSqliteCatalog } from "../../src/catalog/sqlite/sqlite-catalog.ts";
import type { RecordName } from "../../src/model/digest.ts";
import type { AccountId, SnapshotId } from "../../src/model/ids.ts";

/* A small catalog as an earlier version of the schema has it, and what it is to say today. */

const ACCOUNT = "111122223333" as AccountId;
const ID = "snap-0123456789abcdef0" as SnapshotId;
const NAME = "ab".repeat(32) as RecordName;

/** A catalog as an earlier version wrote it. */
export function fill(database: DatabaseSync, version: number): void {
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

/** Nothing of it is lost in the catalog of today, as which it is opened. */
export async function checkFilled(path: string): Promise<void> {
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
