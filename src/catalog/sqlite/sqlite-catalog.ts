import { closeSync, existsSync, openSync } from "node:fs";
import type { Catalog } from "../catalog.ts";
import { MemoryRequestTable } from "./_memory-requests.ts";
import { CATALOG_VERSION, MIGRATIONS } from "./_schema.ts";
import { SqliteBlockTable } from "./_sqlite-blocks.ts";
import { SqliteCopyTable } from "./_sqlite-copies.ts";
import { SqliteDatabase, type SqliteDatabaseHooks } from "./_sqlite-database.ts";
import { SqliteEncryptionTable } from "./_sqlite-encryption.ts";
import { SqliteGarbageTable } from "./_sqlite-garbage.ts";
import { SqliteIdentityTable } from "./_sqlite-identity.ts";
import { SqliteImageTable } from "./_sqlite-images.ts";
import { SqliteJournalTable } from "./_sqlite-journal.ts";

import { SealingAttempts, SqliteLivenessTable } from "./_sqlite-liveness.ts";

import { SqliteNoticeTable } from "./_sqlite-notices.ts";

import { SqliteRetentionTable } from "./_sqlite-retention.ts";
import { SqliteScrubTable } from "./_sqlite-scrubs.ts";
import { SqliteSegmentTable } from "./_sqlite-segments.ts";
import { SqliteSettingsTable } from "./_sqlite-settings.ts";
import { SqliteSharingTable } from "./_sqlite-sharing.ts";
import { SqliteSnapshotTable } from "./_sqlite-snapshots.ts";
import { SqliteStatisticsTable } from "./_sqlite-statistics.ts";
import { SqliteVerificationTable } from "./_sqlite-verifications.ts";

export { CATALOG_VERSION, MIGRATIONS };

/**
 * Opens the embedded catalog, one SQLite file, making it if needed. Throws when another process
 * has it open, and when a newer Varve wrote it. `hooks` hear of a disk that is full or failed.
 */
export function openSqliteCatalog(path: string, hooks?: SqliteDatabaseHooks): Catalog {
  const database = openDatabase(path, hooks);
  try {
    migrate(database);
  } catch (error) {
    database.close();
    throw error;
  }
  const attempts = new SealingAttempts();
  return {
    snapshots: new SqliteSnapshotTable(database, attempts),
    blocks: new SqliteBlockTable(database),
    identity: new SqliteIdentityTable(database),
    sharing: new SqliteSharingTable(database),
    retention: new SqliteRetentionTable(database),
    images: new SqliteImageTable(database),
    encryption: new SqliteEncryptionTable(database),
    copies: new SqliteCopyTable(database),
    settings: new SqliteSettingsTable(database),
    garbage: new SqliteGarbageTable(database),
    liveness: new SqliteLivenessTable(database, attempts),
    segments: new SqliteSegmentTable(database),
    requests: new MemoryRequestTable(),
    journal: new SqliteJournalTable(database),
    scrubs: new SqliteScrubTable(database),
    verifications: new SqliteVerificationTable(database),
    statistics: new SqliteStatisticsTable(database),
    notices: new SqliteNoticeTable(database),
    async close() {
      database.close();
    },
  };
}

/** A store that another process has open; the file's lock says so. */
export class StoreInUseError extends Error {
  override readonly name = "StoreInUseError";
}

/** A catalog that a newer Varve wrote. */
export class NewerCatalogError extends Error {
  override readonly name = "NewerCatalogError";
}

function openDatabase(path: string, hooks?: SqliteDatabaseHooks): SqliteDatabase {
  try {
    createFile(path);
    return new SqliteDatabase(path, hooks);
  } catch (error) {
    if (error instanceof Error && /database is locked/.test(error.message)) {
      throw new StoreInUseError(
        `The store is in use by another process (${path} is locked). Stop that process first.`,
      );
    }
    throw error;
  }
}

/**
 * The catalog holds secrets; SQLite makes its log with the same mode as the file. A file that is
 * there is not even opened: closing it again would drop the lock this process may hold on it.
 */
function createFile(path: string): void {
  if (!existsSync(path)) closeSync(openSync(path, "wx", 0o600));
}

/** Brings a file of any earlier version to the schema of today and refuses one from tomorrow. */
function migrate(database: SqliteDatabase): void {
  const version = Number(database.get("PRAGMA user_version")?.["user_version"]);
  if (version > CATALOG_VERSION) {
    throw new NewerCatalogError(
      `The catalog has version ${version}; this Varve reads up to ${CATALOG_VERSION}. ` +
        "Start the newer Varve that wrote it.",
    );
  }
  if (version === CATALOG_VERSION) return;
  // All or nothing: a migration interrupted by a crash is begun again from where it was.
  database.transaction(() => {
    for (const migration of MIGRATIONS.slice(version)) database.exec(migration);
    database.exec(`PRAGMA user_version = ${CATALOG_VERSION}`);
  });
}
