/*
 * The tables of the catalog on PostgreSQL. What the journal keeps has the columns and types that it
 * has in SQLite, so that either brings back what the other wrote: yes and no are 1 and 0, times are
 * milliseconds since 1970, digests and record names 32 raw bytes. No extension, trigger or
 * procedure, so that a compatible engine will do. Ids are compared byte by byte. A change is a new
 * migration at the end of the list; one that has been released never changes.
 */

const IDENTITY = `
CREATE TABLE meta (
  name TEXT COLLATE "C" PRIMARY KEY,
  value BYTEA NOT NULL,
  created_at_ms BIGINT NOT NULL
);
CREATE TABLE accounts (id TEXT COLLATE "C" PRIMARY KEY, position BIGINT NOT NULL);
CREATE TABLE access_keys (
  id TEXT COLLATE "C" PRIMARY KEY,
  secret TEXT NOT NULL,
  account TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  active BIGINT NOT NULL,
  policy TEXT,
  created_at_ms BIGINT NOT NULL
);
CREATE INDEX access_keys_by_account ON access_keys (account, created_at_ms);
CREATE TABLE account_settings (
  account TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  name TEXT COLLATE "C" NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (account, name)
);
CREATE TABLE encryption_keys (
  id TEXT COLLATE "C" PRIMARY KEY,
  account TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  domain TEXT COLLATE "C" NOT NULL UNIQUE,
  state TEXT NOT NULL,
  manager TEXT NOT NULL,
  description TEXT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  deletion_at_ms BIGINT,
  secrets TEXT NOT NULL
);
CREATE INDEX encryption_keys_by_account ON encryption_keys (account, id);
CREATE UNIQUE INDEX encryption_keys_made ON encryption_keys (account) WHERE manager = 'service';
CREATE UNIQUE INDEX encryption_keys_of_store ON encryption_keys (manager) WHERE manager = 'store';
CREATE TABLE encryption_defaults (
  account TEXT COLLATE "C" PRIMARY KEY REFERENCES accounts (id),
  by_default BIGINT NOT NULL,
  key TEXT
);
`;

/** Rows that each put touches leave room in their pages for their next version. */
const SNAPSHOTS = `
CREATE TABLE snapshots (
  -- Given once: what a deleted snapshot leaves behind never becomes part of another one.
  number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id TEXT COLLATE "C" NOT NULL UNIQUE,
  account TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  domain TEXT COLLATE "C" NOT NULL,
  state TEXT NOT NULL,
  state_message TEXT,
  parent TEXT,
  lineage TEXT COLLATE "C" NOT NULL,
  volume_size_gib BIGINT NOT NULL,
  description TEXT,
  tags TEXT NOT NULL,
  start_time_ms BIGINT NOT NULL,
  completion_time_ms BIGINT,
  timeout_minutes BIGINT NOT NULL,
  expires_at_ms BIGINT NOT NULL,
  parent_root BYTEA,
  parent_block_count BIGINT NOT NULL,
  root BYTEA,
  block_count BIGINT NOT NULL,
  written_block_count BIGINT NOT NULL,
  completion TEXT,
  writers_root BYTEA,
  manifest BYTEA,
  -- Of the latest attempt to seal it: when it began, its number, and whose it is.
  seal_generation BIGINT,
  seal_attempt BIGINT NOT NULL DEFAULT 0,
  sealed_by BIGINT
) WITH (fillfactor = 70);
CREATE INDEX snapshots_by_account ON snapshots (account, id);
CREATE INDEX snapshots_by_lineage ON snapshots (lineage, start_time_ms);
CREATE INDEX snapshots_by_domain ON snapshots (domain);
CREATE INDEX snapshots_unsettled ON snapshots (state)
  WHERE state IN ('pending', 'sealing', 'copying');
CREATE TABLE client_tokens (
  account TEXT COLLATE "C" NOT NULL,
  client_token TEXT COLLATE "C" NOT NULL,
  fingerprint BYTEA NOT NULL,
  snapshot BIGINT NOT NULL REFERENCES snapshots (number) ON DELETE CASCADE,
  PRIMARY KEY (account, client_token)
);
CREATE INDEX client_tokens_by_snapshot ON client_tokens (snapshot);
CREATE TABLE snapshot_permissions (
  snapshot BIGINT NOT NULL REFERENCES snapshots (number) ON DELETE CASCADE,
  -- An account id, or 'all'.
  grantee TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (snapshot, grantee)
);
CREATE INDEX snapshot_permissions_by_grantee ON snapshot_permissions (grantee);
CREATE TABLE snapshot_locks (
  snapshot BIGINT PRIMARY KEY REFERENCES snapshots (number) ON DELETE CASCADE,
  mode TEXT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  expires_at_ms BIGINT NOT NULL,
  cool_off_hours BIGINT NOT NULL
);
CREATE TABLE recycled_snapshots (
  snapshot BIGINT PRIMARY KEY REFERENCES snapshots (number) ON DELETE CASCADE,
  entered_at_ms BIGINT NOT NULL,
  exits_at_ms BIGINT NOT NULL
);
CREATE INDEX recycled_snapshots_by_exit ON recycled_snapshots (exits_at_ms);
CREATE TABLE snapshot_copies (
  snapshot BIGINT PRIMARY KEY REFERENCES snapshots (number) ON DELETE CASCADE,
  source_domain TEXT COLLATE "C" NOT NULL,
  source_root BYTEA,
  next_index BIGINT NOT NULL
);
CREATE TABLE snapshot_verifications (
  snapshot BIGINT PRIMARY KEY REFERENCES snapshots (number) ON DELETE CASCADE,
  progress TEXT,
  ended_at_ms BIGINT,
  is_whole BIGINT
);
CREATE TABLE images (
  id TEXT COLLATE "C" PRIMARY KEY,
  account TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
  name TEXT COLLATE "C" NOT NULL,
  contents TEXT NOT NULL,
  UNIQUE (account, name)
);
CREATE TABLE image_snapshots (
  image TEXT COLLATE "C" NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  snapshot BIGINT NOT NULL REFERENCES snapshots (number),
  PRIMARY KEY (image, snapshot)
);
CREATE INDEX image_snapshots_by_snapshot ON image_snapshots (snapshot);
`;

const RECORDS = `
CREATE TABLE pending_writes (
  snapshot BIGINT NOT NULL,
  block_index BIGINT NOT NULL,
  name BYTEA NOT NULL,
  PRIMARY KEY (snapshot, block_index)
);
CREATE TABLE locations (
  domain TEXT COLLATE "C" NOT NULL,
  name BYTEA NOT NULL,
  segment BIGINT NOT NULL,
  at_byte BIGINT NOT NULL,
  length BIGINT NOT NULL,
  generation BIGINT NOT NULL,
  PRIMARY KEY (domain, name)
) WITH (fillfactor = 90);
CREATE INDEX locations_by_place ON locations (segment, at_byte);
CREATE TABLE damaged_records (
  domain TEXT COLLATE "C" NOT NULL,
  name BYTEA NOT NULL,
  -- Where it lay when it was found.
  segment BIGINT NOT NULL,
  at_byte BIGINT NOT NULL,
  found_at_ms BIGINT NOT NULL,
  PRIMARY KEY (domain, name),
  FOREIGN KEY (domain, name) REFERENCES locations (domain, name) ON DELETE CASCADE
);
CREATE TABLE segment_usage (segment BIGINT PRIMARY KEY, live_bytes BIGINT NOT NULL);
CREATE TABLE segment_scrubs (
  segment BIGINT PRIMARY KEY,
  verified_at_ms BIGINT NOT NULL,
  started_at_ms BIGINT,
  next_offset BIGINT NOT NULL
);

-- The row that stamps are read from and that runs of the collector begin by changing.
CREATE TABLE collection (
  one BIGINT PRIMARY KEY CHECK (one = 1),
  generation BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  seen_ms BIGINT NOT NULL
);
INSERT INTO collection (one, generation, epoch, seen_ms) VALUES (1, 1, 0, 0);
CREATE TABLE garbage_roots (
  number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  domain TEXT COLLATE "C" NOT NULL,
  lineage TEXT COLLATE "C" NOT NULL,
  start_time_ms BIGINT NOT NULL,
  root BYTEA NOT NULL
);
CREATE TABLE garbage_candidates (
  domain TEXT COLLATE "C" NOT NULL,
  name BYTEA NOT NULL,
  noted_generation BIGINT NOT NULL,
  doomed_generation BIGINT,
  doomed_at_ms BIGINT,
  PRIMARY KEY (domain, name)
);
CREATE TABLE settled_writers (snapshot BIGINT PRIMARY KEY, domain TEXT COLLATE "C" NOT NULL);

CREATE SEQUENCE journal_stamps;
CREATE TABLE journal_changes (key TEXT COLLATE "C" PRIMARY KEY, stamp BIGINT NOT NULL);
CREATE TABLE journal_entries (
  key TEXT COLLATE "C" PRIMARY KEY,
  sequence BIGINT NOT NULL,
  domain TEXT COLLATE "C" NOT NULL,
  name BYTEA NOT NULL
);
CREATE INDEX journal_entries_by_domain ON journal_entries (domain);
CREATE TABLE journal_sequence (one BIGINT PRIMARY KEY CHECK (one = 1), sequence BIGINT NOT NULL);
INSERT INTO journal_sequence (one, sequence) VALUES (1, 0);
`;

/** Who serves this store at the moment; all times here are the database's own. */
const PROCESSES = `
CREATE TABLE processes (
  number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name TEXT NOT NULL,
  joined_at TIMESTAMPTZ NOT NULL,
  alive_until TIMESTAMPTZ NOT NULL
);
CREATE TABLE leadership (
  one BIGINT PRIMARY KEY CHECK (one = 1),
  epoch BIGINT NOT NULL,
  process BIGINT,
  leads_until TIMESTAMPTZ NOT NULL
);
INSERT INTO leadership (one, epoch, process, leads_until) VALUES (1, 0, NULL, now());
CREATE TABLE segment_numbers (one BIGINT PRIMARY KEY CHECK (one = 1), next BIGINT NOT NULL);
INSERT INTO segment_numbers (one, next) VALUES (1, 1);
CREATE TABLE segment_reservations (
  segment BIGINT PRIMARY KEY,
  process BIGINT NOT NULL REFERENCES processes (number) ON DELETE CASCADE,
  reserved_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX segment_reservations_by_time ON segment_reservations (reserved_at);
CREATE INDEX segment_reservations_by_process ON segment_reservations (process);
-- Collections that somebody asked for, at whichever process.
CREATE TABLE collections (
  number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Which has taken it up.
  process BIGINT,
  request TEXT NOT NULL,
  status TEXT NOT NULL,
  is_done BIGINT NOT NULL,
  is_stop_asked BIGINT NOT NULL
);
`;

/** What those who operate the store are told; see statistics.ts. */
const SIGNALS = `
CREATE TABLE store_measures (
  time_ms BIGINT PRIMARY KEY,
  protected_bytes BIGINT NOT NULL,
  stored_bytes BIGINT NOT NULL,
  free_bytes BIGINT,
  snapshot_count BIGINT NOT NULL
);
CREATE TABLE notice_switch (one BIGINT PRIMARY KEY CHECK (one = 1), is_on BIGINT NOT NULL);
INSERT INTO notice_switch (one, is_on) VALUES (1, 0);
CREATE TABLE notices (
  number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind TEXT NOT NULL,
  -- The snapshot's id and account; of a damaged record the rest.
  snapshot TEXT,
  account TEXT,
  domain TEXT,
  name BYTEA,
  segment BIGINT,
  at_byte BIGINT,
  -- Until when nobody else may take it.
  taken_until_ms BIGINT NOT NULL DEFAULT 0
);
`;

/**
 * Images hold their snapshots again that a rebuild or a migration had let go of. Read as text: a
 * description may hold what PostgreSQL's JSON refuses.
 */
const IMAGES_HOLD = `
INSERT INTO image_snapshots (image, snapshot)
SELECT DISTINCT images.id, snapshots.number
FROM images
CROSS JOIN LATERAL regexp_matches(images.contents, '"snapshotId":"([^"]*)"', 'g') AS held (ids)
JOIN snapshots ON snapshots.id = held.ids[1]
ON CONFLICT DO NOTHING;
`;

/** What brings a catalog from each version to the next; an empty database has version 0. */
export const MIGRATIONS: readonly string[] = [
  [IDENTITY, SNAPSHOTS, RECORDS, PROCESSES, SIGNALS].join(""),
  IMAGES_HOLD,
];

/** Version of the schema that this code reads and writes; a newer one is refused. */
export const POSTGRES_CATALOG_VERSION = MIGRATIONS.length;
