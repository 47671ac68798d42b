/*
 * The tables of the embedded catalog. Digests and record names are 32 raw bytes; times are
 * milliseconds since 1970. A change is a new migration at the end of the list; one that has been
 * released never changes.
 */

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

/** What was read again is noted: damaged records, segments scrubbed, snapshots verified. */
const INTEGRITY = `
ALTER TABLE snapshots ADD COLUMN manifest BLOB;

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

/** What brings a catalog from each version to the next; an empty file has version 0. */
export const MIGRATIONS: readonly string[] = [
  VERSION_1,
  SHARING_AND_RETENTION,
  ACCESS_KEY_POLICIES,
  ENCRYPTION,
  INTEGRITY,
];

/** Version of the schema that this code reads and writes; a store with a newer one is refused. */
export const CATALOG_VERSION = MIGRATIONS.length;
