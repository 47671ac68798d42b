/*
 * The tables of the embedded catalog. Digests are 32 raw bytes; times are milliseconds since 1970.
 * A change is a new migration at the end of the list; one that has been released never changes.
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

/** What brings a catalog from each version to the next; an empty file has version 0. */
export const MIGRATIONS: readonly string[] = [VERSION_1];

/** Version of the schema that this code reads and writes; a store with a newer one is refused. */
export const CATALOG_VERSION = MIGRATIONS.length;
