/** Tables each row of which is journaled, and the row's key in the journal. */
const JOURNALED: Readonly<Record<string, string>> = {
  accounts: "'account/' || ROW.id",
  access_keys: "'access-key/' || ROW.id",
  encryption_keys: "'encryption-key/' || ROW.id",
  encryption_defaults: "'encryption-defaults/' || ROW.account",
  account_settings: "'account-setting/' || ROW.account || '/' || ROW.name",
  meta: "'secret/' || ROW.name",
  images: "'image/' || ROW.id",
};

/** What belongs to a snapshot is journaled with it, by the snapshot's number. */
const JOURNALED_WITH_SNAPSHOT = ["snapshot_permissions", "snapshot_locks", "recycled_snapshots"];

const noteKey = (key: string) => `INSERT INTO journal_changes (key, stamp) ${key}
  ON CONFLICT DO UPDATE SET stamp = stamp + 1`;

const journalTriggers = Object.entries(JOURNALED).flatMap(([table, key]) =>
  (["INSERT", "UPDATE", "DELETE"] as const).map((event) => {
    const row = event === "DELETE" ? "old" : "new";
    return `CREATE TRIGGER ${table}_${event.toLowerCase()}_journaled AFTER ${event} ON ${table}
    BEGIN ${noteKey(`VALUES (${key.replaceAll("ROW", row)}, 0)`)}; END;`;
  }),
);

const LASTING = "('completed', 'recycled')";

/** Triggers on the parts of those snapshots that meet a condition. */
const snapshotPartTriggers = (condition: string) =>
  JOURNALED_WITH_SNAPSHOT.flatMap((table) =>
    (["INSERT", "DELETE"] as const).map((event) => {
      const row = event === "DELETE" ? "old" : "new";
      const key = `SELECT 'snapshot/' || id, 0 FROM snapshots WHERE number = ${row}.snapshot`;
      return `CREATE TRIGGER ${table}_${event.toLowerCase()}_journaled AFTER ${event} ON ${table}
    BEGIN ${noteKey(`${key}${condition}`)}; END;`;
    }),
  );

/**
 * What the catalog knows and segments would not: each change of a row is noted here by a trigger,
 * and a record of the row as it then is goes into a segment soon after.
 */
export const JOURNAL = `
CREATE UNIQUE INDEX encryption_keys_of_store ON encryption_keys (manager)
  WHERE manager = 'store';
CREATE TABLE journal_changes (key TEXT PRIMARY KEY, stamp INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE journal_entries (
  key TEXT PRIMARY KEY,
  sequence INTEGER NOT NULL,
  domain TEXT NOT NULL,
  name BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE journal_sequence (one INTEGER PRIMARY KEY CHECK (one = 1), sequence INTEGER NOT NULL);
INSERT INTO journal_sequence (one, sequence) VALUES (1, 0);

${journalTriggers.join("\n")}
${snapshotPartTriggers("").join("\n")}
CREATE TRIGGER snapshots_update_journaled AFTER UPDATE OF state, tags ON snapshots
  WHEN new.state IN ${LASTING}
  BEGIN ${noteKey("VALUES ('snapshot/' || new.id, 0)")}; END;
CREATE TRIGGER snapshots_insert_journaled AFTER INSERT ON snapshots WHEN new.state IN ${LASTING}
  BEGIN ${noteKey("VALUES ('snapshot/' || new.id, 0)")}; END;
CREATE TRIGGER snapshots_delete_journaled AFTER DELETE ON snapshots WHEN old.state IN ${LASTING}
  BEGIN ${noteKey("VALUES ('snapshot/' || old.id, 0)")}; END;

${Object.entries(JOURNALED)
  .map(
    ([table, key]) => `INSERT INTO journal_changes (key, stamp)
    SELECT ${key.replaceAll("ROW", table)}, 0 FROM ${table};`,
  )
  .join("\n")}
INSERT INTO journal_changes (key, stamp)
  SELECT 'snapshot/' || id, 0 FROM snapshots WHERE state IN ${LASTING};
`;

/**
 * That a snapshot is gone is journaled wherever its manifest may be stored: also of one deleted
 * while it was sealed, or a rebuild would bring it back.
 */
export const DELETIONS_JOURNALED = `
DROP TRIGGER snapshots_delete_journaled;
CREATE TRIGGER snapshots_delete_journaled AFTER DELETE ON snapshots WHEN old.state <> 'pending'
  BEGIN ${noteKey("VALUES ('snapshot/' || old.id, 0)")}; END;
`;

/**
 * What a snapshot under way is given is journaled with its completion: an entry before would have
 * no value, and a rebuild from a journal that ends there would take the snapshot for deleted.
 */
export const PENDING_UNJOURNALED = `
${JOURNALED_WITH_SNAPSHOT.flatMap((table) => [
  `DROP TRIGGER ${table}_insert_journaled;`,
  `DROP TRIGGER ${table}_delete_journaled;`,
]).join("\n")}
${snapshotPartTriggers(` AND state IN ${LASTING}`).join("\n")}
DELETE FROM journal_changes WHERE key IN (
  SELECT 'snapshot/' || id FROM snapshots WHERE state NOT IN ${LASTING});
`;
