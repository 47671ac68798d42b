/*
 * The tables of the embedded catalog. Digests and record names are 32 raw bytes; times are
 * milliseconds since 1970. A change is a new migration at the end of the list; one that has been
 * released never changes.
 */

import { DELETIONS_JOURNALED, JOURNAL, PENDING_UNJOURNALED } from "./_journal-schema.ts";
import { SIGNALS } from "./_signals-schema.ts";

const VERSION_1 = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE accounts (id TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE access_keys (
  id TEXT PRIMARY KEY,
  secret TEXT NOT NULL,
  account TEXT NOT NULL REFERENCES accounts (id),
  active INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE snapshots (
  -- AUTOINCREMENT: a number is never given twice, or writes left behind by a deleted
  -- snapshot could become part of a new one.
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  account TEXT NOT NULL REFERENCES accounts (id),
  state TEXT NOT NULL,
  state_message TEXT,
  parent TEXT,
  lineage TEXT NOT NULL,
  volume_size_gib INTEGER NOT NULL,
  description TEXT,
  tags TEXT NOT NULL,
  start_time_ms INTEGER NOT NULL,
  completion_time_ms INTEGER,
  timeout_minutes INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  parent_root BLOB,
  parent_block_count INTEGER NOT NULL,
  root BLOB,
  block_count INTEGER NOT NULL,
  written_block_count INTEGER NOT NULL,
  completion TEXT
);
CREATE INDEX snapshots_by_account ON snapshots (account, id);
CREATE INDEX snapshots_unsettled ON snapshots (state, expires_at_ms)
  WHERE state IN ('pending', 'sealing');

CREATE TABLE client_tokens (
  account TEXT NOT NULL,
  client_token TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  snapshot INTEGER NOT NULL REFERENCES snapshots (number) ON DELETE CASCADE,
  PRIMARY KEY (account, client_token)
) WITHOUT ROWID;
CREATE INDEX client_tokens_by_snapshot ON client_tokens (snapshot);

CREATE TABLE pending_writes (
  snapshot INTEGER NOT NULL,
  block_index INTEGER NOT NULL,
  digest BLOB NOT NULL,
  PRIMARY KEY (snapshot, block_index)
) WITHOUT ROWID;

CREATE TABLE locations (
  domain TEXT NOT NULL,
  digest BLOB NOT NULL,
  segment INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  length INTEGER NOT NULL,
  PRIMARY KEY (domain, digest)
) WITHOUT ROWID;
`;

/** Snapshots are shared, copied, locked, recycled, and used by images. */
const SHARING_AND_RETENTION = `
ALTER TABLE snapshots ADD COLUMN domain TEXT NOT NULL DEFAULT '';
UPDATE snapshots SET domain = account;

CREATE TABLE snapshot_permissions (
  snapshot INTEGER NOT NULL REFERENCES snapshots (number) ON DELETE CASCADE,
  -- An account id, or 'all'.
  grantee TEXT NOT NULL,
  PRIMARY KEY (snapshot, grantee)
) WITHOUT ROWID;
CREATE INDEX snapshot_permissions_by_grantee ON snapshot_permissions (grantee);

CREATE TABLE snapshot_locks (
  snapshot INTEGER PRIMARY KEY REFERENCES snapshots (number) ON DELETE CASCADE,
  mode TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  cool_off_hours INTEGER NOT NULL
);

CREATE TABLE recycled_snapshots (
  snapshot INTEGER PRIMARY KEY REFERENCES snapshots (number) ON DELETE CASCADE,
  entered_at_ms INTEGER NOT NULL,
  exits_at_ms INTEGER NOT NULL
);
CREATE INDEX recycled_snapshots_by_exit ON recycled_snapshots (exits_at_ms);

CREATE TABLE images (
  id TEXT PRIMARY KEY,
  account TEXT NOT NULL REFERENCES accounts (id),
  name TEXT NOT NULL,
  contents TEXT NOT NULL,
  UNIQUE (account, name)
) WITHOUT ROWID;

CREATE TABLE image_snapshots (
  image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  snapshot INTEGER NOT NULL REFERENCES snapshots (number),
  PRIMARY KEY (image, snapshot)
) WITHOUT ROWID;
CREATE INDEX image_snapshots_by_snapshot ON image_snapshots (snapshot);
`;

/** Access keys carry policies and know since when they are. */
const ACCESS_KEY_POLICIES = `
ALTER TABLE access_keys ADD COLUMN policy TEXT;
ALTER TABLE access_keys ADD COLUMN created_at_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX access_keys_by_account ON access_keys (account, created_at_ms);
`;

/** What lies under a key's domain is encrypted; accounts say how they encrypt. */
const ENCRYPTION = `
ALTER TABLE locations RENAME COLUMN digest TO name;
ALTER TABLE pending_writes RENAME COLUMN digest TO name;

CREATE TABLE encryption_keys (
  id TEXT PRIMARY KEY,
  account TEXT NOT NULL REFERENCES accounts (id),
  domain TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL,
  manager TEXT NOT NULL,
  description TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  deletion_at_ms INTEGER,
  -- JSON: each secret sealed, and which key-encryption key opens it.
  secrets TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX encryption_keys_by_account ON encryption_keys (account, id);
CREATE UNIQUE INDEX encryption_keys_made ON encryption_keys (account) WHERE manager = 'service';

CREATE TABLE snapshot_copies (
  snapshot INTEGER PRIMARY KEY REFERENCES snapshots (number) ON DELETE CASCADE,
  source_domain TEXT NOT NULL,
  source_root BLOB,
  next_index INTEGER NOT NULL
);
DROP INDEX snapshots_unsettled;
CREATE INDEX snapshots_unsettled ON snapshots (state, expires_at_ms)
  WHERE state IN ('pending', 'sealing', 'copying');

CREATE TABLE encryption_defaults (
  account TEXT PRIMARY KEY REFERENCES accounts (id),
  by_default INTEGER NOT NULL,
  key TEXT
) WITHOUT ROWID;
`;

/** Snapshots know who wrote their blocks, where a service that emulates AWS sealed them. */
const WRITER_MAPS = `
ALTER TABLE snapshots ADD COLUMN writers_root BLOB;
`;

/** Accounts have settings. */
const ACCOUNT_SETTINGS = `
CREATE TABLE account_settings (
  account TEXT NOT NULL REFERENCES accounts (id),
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (account, name)
) WITHOUT ROWID;
`;

/** Notes what a removed snapshot held; that is its parent's root, too, where a condition is met. */
const noteRemoved = (holdsParents: string) => `
CREATE TRIGGER snapshot_removed AFTER DELETE ON snapshots BEGIN
  INSERT INTO settled_writers (snapshot, domain) SELECT old.number, old.domain
    WHERE EXISTS (SELECT 1 FROM pending_writes WHERE snapshot = old.number);
  INSERT INTO garbage_roots (domain, lineage, start_time_ms, root)
    SELECT old.domain, old.lineage, old.start_time_ms, old.root WHERE old.root IS NOT NULL;
  INSERT INTO garbage_roots (domain, lineage, start_time_ms, root)
    SELECT old.domain, old.lineage, old.start_time_ms, old.parent_root
    WHERE old.parent_root IS NOT NULL AND ${holdsParents};
  INSERT INTO garbage_roots (domain, lineage, start_time_ms, root)
    SELECT old.domain, old.lineage, old.start_time_ms, old.writers_root
    WHERE old.writers_root IS NOT NULL;
  INSERT INTO garbage_candidates (domain, name, noted_generation)
    SELECT old.domain, old.manifest, generation FROM collection WHERE old.manifest IS NOT NULL
    ON CONFLICT DO UPDATE SET noted_generation = excluded.noted_generation;
END;
`;

/**
 * What may be garbage is noted by triggers, so that no way of losing a reference can forget to:
 * roots of trees, and single records. Each location knows the generation that last referred to it.
 * A trigger says ON CONFLICT, never INSERT OR: the statement that fires it would override that.
 */
const COLLECTION = `
CREATE TABLE collection (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  -- Moves on with each run; what is stored or referred to carries the one of then.
  generation INTEGER NOT NULL,
  -- Of the latest run; an earlier one can change nothing any more.
  epoch INTEGER NOT NULL,
  -- Latest time that a run has seen.
  seen_ms INTEGER NOT NULL
);
INSERT INTO collection (one, generation, epoch, seen_ms) VALUES (1, 1, 0, 0);

ALTER TABLE locations ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE snapshots ADD COLUMN manifest BLOB;
-- The generation in which the sealing under way began to store nodes.
ALTER TABLE snapshots ADD COLUMN seal_generation INTEGER;

CREATE TABLE garbage_roots (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  domain TEXT NOT NULL,
  lineage TEXT NOT NULL,
  start_time_ms INTEGER NOT NULL,
  root BLOB NOT NULL
);

CREATE TABLE garbage_candidates (
  domain TEXT NOT NULL,
  name BLOB NOT NULL,
  -- When it was last noted: a run that has begun by then does not know why, and keeps it noted.
  noted_generation INTEGER NOT NULL,
  -- The run that first found it unreachable, and when that was; null before.
  doomed_generation INTEGER,
  doomed_at_ms INTEGER,
  PRIMARY KEY (domain, name)
) WITHOUT ROWID;

-- Domains of deleted snapshots whose writes have not all been forgotten yet.
CREATE TABLE settled_writers (snapshot INTEGER PRIMARY KEY, domain TEXT NOT NULL);

CREATE TABLE segment_usage (segment INTEGER PRIMARY KEY, live_bytes INTEGER NOT NULL);
INSERT INTO segment_usage SELECT segment, sum(length) FROM locations GROUP BY segment;

CREATE TRIGGER location_added AFTER INSERT ON locations BEGIN
  INSERT INTO segment_usage (segment, live_bytes) VALUES (new.segment, new.length)
    ON CONFLICT DO UPDATE SET live_bytes = live_bytes + new.length;
END;
CREATE TRIGGER location_removed AFTER DELETE ON locations BEGIN
  UPDATE segment_usage SET live_bytes = live_bytes - old.length WHERE segment = old.segment;
END;
CREATE TRIGGER location_moved AFTER UPDATE OF segment, offset ON locations BEGIN
  UPDATE segment_usage SET live_bytes = live_bytes - old.length WHERE segment = old.segment;
  INSERT INTO segment_usage (segment, live_bytes) VALUES (new.segment, new.length)
    ON CONFLICT DO UPDATE SET live_bytes = live_bytes + new.length;
END;

CREATE TRIGGER write_replaced AFTER UPDATE OF name ON pending_writes WHEN old.name <> new.name
BEGIN
  INSERT INTO garbage_candidates (domain, name, noted_generation)
    SELECT domain, old.name, generation FROM snapshots, collection WHERE number = new.snapshot
    ON CONFLICT DO UPDATE SET noted_generation = excluded.noted_generation;
END;

${noteRemoved("true")}
-- A settled snapshot needs its parent's root no more; the parent may be gone already.
CREATE TRIGGER snapshot_settled AFTER UPDATE OF state ON snapshots
  WHEN new.parent_root IS NOT NULL AND old.state IN ('pending', 'sealing')
    AND new.state IN ('completed', 'error')
BEGIN
  INSERT INTO garbage_roots (domain, lineage, start_time_ms, root)
    VALUES (new.domain, new.lineage, new.start_time_ms, new.parent_root);
END;
CREATE TRIGGER writers_replaced AFTER UPDATE OF writers_root ON snapshots
  WHEN old.writers_root IS NOT NULL AND old.writers_root IS NOT new.writers_root
BEGIN
  INSERT INTO garbage_roots (domain, lineage, start_time_ms, root)
    VALUES (old.domain, old.lineage, old.start_time_ms, old.writers_root);
END;
CREATE TRIGGER copy_settled AFTER UPDATE OF state ON snapshots
  WHEN old.state = 'copying' AND new.state <> 'copying'
BEGIN
  DELETE FROM snapshot_copies WHERE snapshot = new.number;
END;
CREATE TRIGGER copy_removed AFTER DELETE ON snapshot_copies WHEN old.source_root IS NOT NULL BEGIN
  INSERT INTO garbage_roots (domain, lineage, start_time_ms, root)
    VALUES (old.source_domain, '', 0, old.source_root);
END;
`;

/** What was read again is noted: damaged records, segments scrubbed, snapshots verified. */
const INTEGRITY = `
-- For whoever reads a segment through.
CREATE INDEX locations_by_place ON locations (segment, offset);

CREATE TABLE damaged_records (
  domain TEXT NOT NULL,
  name BLOB NOT NULL,
  -- Where it lay when it was found.
  segment INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  found_at_ms INTEGER NOT NULL,
  PRIMARY KEY (domain, name),
  FOREIGN KEY (domain, name) REFERENCES locations (domain, name) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE segment_scrubs (
  segment INTEGER PRIMARY KEY,
  verified_at_ms INTEGER NOT NULL,
  started_at_ms INTEGER,
  next_offset INTEGER NOT NULL
);

CREATE TABLE snapshot_verifications (
  snapshot INTEGER PRIMARY KEY REFERENCES snapshots (number) ON DELETE CASCADE,
  -- JSON of the one under way; null for none.
  progress TEXT,
  -- How the latest one ended.
  ended_at_ms INTEGER,
  is_whole INTEGER
);
`;

/** The store's secrets are replaced, and so know since when they are; 0 for those that do not. */
const SECRET_ROTATION = `
ALTER TABLE meta ADD COLUMN created_at_ms INTEGER NOT NULL DEFAULT 0;
`;

/** Writes carry a sum: nothing else would tell a bit that flips in one before it is sealed. */
const WRITE_SUMS = `
ALTER TABLE pending_writes ADD COLUMN sum INTEGER;
`;

/**
 * The parent's root is noted once, when a snapshot is settled or removed before: later it may be
 * long gone, and a root that is noted is needed until all below it is noted.
 */
const PARENTS_NOTED_ONCE = `
DROP TRIGGER snapshot_removed;
${noteRemoved("old.state IN ('pending', 'sealing')")}`;

/** Images hold their snapshots again that a rebuild or a migration had let go of. */
const IMAGES_HOLD = `
INSERT OR IGNORE INTO image_snapshots (image, snapshot)
SELECT images.id, snapshots.number
FROM images, json_each(images.contents, '$.devices') AS device
JOIN snapshots ON snapshots.id = json_extract(device.value, '$.snapshotId');
`;

/** Whoever looks for a tree's neighbours finds them without reading every snapshot. */
const LINEAGES_FOUND = `
CREATE INDEX IF NOT EXISTS snapshots_by_lineage ON snapshots (lineage, start_time_ms);
`;

/** What brings a catalog from each version to the next; an empty file has version 0. */
export const MIGRATIONS: readonly string[] = [
  VERSION_1,
  SHARING_AND_RETENTION,
  ACCESS_KEY_POLICIES,
  ENCRYPTION,
  WRITER_MAPS,
  ACCOUNT_SETTINGS,
  COLLECTION,
  JOURNAL,
  INTEGRITY,
  SECRET_ROTATION,
  SIGNALS,
  DELETIONS_JOURNALED,
  WRITE_SUMS,
  PARENTS_NOTED_ONCE,
  IMAGES_HOLD,
  `${PENDING_UNJOURNALED}${LINEAGES_FOUND}`,
];

/** Version of the schema that this code reads and writes; a store with a newer one is refused. */
export const CATALOG_VERSION = MIGRATIONS.length;
