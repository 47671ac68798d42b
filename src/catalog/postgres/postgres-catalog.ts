import { UnavailableError } from "../../base/unavailable.ts";
import type { Catalog } from "../catalog.ts";
import { Membership, type MembershipParts } from "../membership.ts";
import { checkDurability, migrate } from "./_migrate.ts";
import { shareGeneration } from "./_notes.ts";
import { type Fence, PostgresBlockTable } from "./_postgres-blocks.ts";
import { PostgresCopyTable } from "./_postgres-copies.ts";
import { PostgresDatabase, type PostgresOptions, type Queries } from "./_postgres-database.ts";
import { PostgresEncryptionTable } from "./_postgres-encryption.ts";
import { PostgresGarbageTable } from "./_postgres-garbage.ts";
import { PostgresIdentityTable } from "./_postgres-identity.ts";
import { PostgresImageTable } from "./_postgres-images.ts";
import { PostgresJournalTable } from "./_postgres-journal.ts";
import { PostgresLivenessTable } from "./_postgres-liveness.ts";
import { PostgresNoticeTable } from "./_postgres-notices.ts";
import { PostgresProcessTable } from "./_postgres-processes.ts";
import { PostgresRequestTable } from "./_postgres-requests.ts";
import { PostgresRetentionTable } from "./_postgres-retention.ts";
import { PostgresScrubTable } from "./_postgres-scrubs.ts";
import { PostgresSegmentTable, passSegments } from "./_postgres-segments.ts";
import { PostgresSettingsTable } from "./_postgres-settings.ts";
import { PostgresSharingTable } from "./_postgres-sharing.ts";
import { PostgresSnapshotTable } from "./_postgres-snapshots.ts";
import { PostgresStatisticsTable } from "./_postgres-statistics.ts";
import { PostgresVerificationTable } from "./_postgres-verifications.ts";
import { POSTGRES_CATALOG_VERSION } from "./_schema.ts";

export type { PostgresOptions };
export { POSTGRES_CATALOG_VERSION };

/** A catalog that several processes may have open at once. */
export interface PostgresCatalog extends Catalog {
  readonly segments: PostgresSegmentTable;
  /**
   * Resolves when the database answers; rejects with an `UnavailableError` when it does not, or is
   * a standby.
   */
  check(): Promise<void>;
  /**
   * Joins the processes that serve this store, once, until the catalog is closed. From then on
   * blocks are committed only to segments whose numbers the membership gave. Whoever does not join,
   * as a rebuild or a migration, commits to any segment, and has to be alone.
   */
  join(parts: Omit<MembershipParts, "table">): Promise<Membership>;
}

/**
 * Opens the catalog in a PostgreSQL database, making its tables if needed. Rejects with an
 * `UnavailableError` when the database does not answer, and with an error that says what to do
 * when a newer Varve wrote it or when the server is set up to lose what it has acknowledged.
 */
export async function openPostgresCatalog(options: PostgresOptions): Promise<PostgresCatalog> {
  const database = new PostgresDatabase(options);
  try {
    await checkDurability(database);
    await migrate(database);
  } catch (error) {
    await database.close();
    throw error;
  }
  return tablesOn(database);
}

function tablesOn(database: PostgresDatabase): PostgresCatalog {
  let member: Membership | undefined;
  const processNumber = () => member?.number;
  const fence: Fence = async (queries, segments) => {
    if (member) return fenced(queries, member.number, segments);
    await passSegments(queries, segments);
    return shareGeneration(queries);
  };
  const identity = new PostgresIdentityTable(database);
  return {
    snapshots: new PostgresSnapshotTable(database),
    blocks: new PostgresBlockTable(database, { fence, processNumber, companions: [identity] }),
    identity,
    sharing: new PostgresSharingTable(database),
    retention: new PostgresRetentionTable(database),
    images: new PostgresImageTable(database),
    encryption: new PostgresEncryptionTable(database),
    copies: new PostgresCopyTable(database),
    settings: new PostgresSettingsTable(database),
    garbage: new PostgresGarbageTable(database),
    liveness: new PostgresLivenessTable(database, processNumber),
    segments: new PostgresSegmentTable(database),
    requests: new PostgresRequestTable(database, processNumber),
    journal: new PostgresJournalTable(database),
    scrubs: new PostgresScrubTable(database),
    verifications: new PostgresVerificationTable(database),
    statistics: new PostgresStatisticsTable(database),
    notices: new PostgresNoticeTable(database),
    check: () => database.check(),
    async join(parts) {
      member = await Membership.join({ ...parts, table: new PostgresProcessTable(database) });
      return member;
    },
    async close() {
      // Where the database is away, others find out by themselves that this process has left.
      await member?.stop().catch(() => undefined);
      await database.close();
    },
  };
}

/** Holds this process's row to the end, and consumes what it had reserved. */
async function fenced(
  queries: Queries,
  process: number,
  segments: readonly number[],
): Promise<number> {
  const row = await queries.get(
    `SELECT generation FROM collection, processes
     WHERE collection.one = 1 AND processes.number = $1
     FOR SHARE OF collection FOR KEY SHARE OF processes`,
    process,
  );
  if (!row) throw new UnavailableError(`Process ${process} has been presumed dead`);
  const consumed =
    segments.length === 0
      ? 0
      : await queries.run(
          "DELETE FROM segment_reservations WHERE process = $1 AND segment = ANY ($2::bigint[])",
          process,
          segments,
        );
  if (consumed === segments.length) return row["generation"] as number;
  throw new UnavailableError(
    `Process ${process} may not commit segments ${segments.join(", ")}: not all are reserved`,
  );
}
