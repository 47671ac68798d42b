const NOTE_SNAPSHOT = `INSERT INTO notices (kind, snapshot, account)
  SELECT CASE new.state WHEN 'completed' THEN 'completed' ELSE 'failed' END, new.id, new.account
  FROM notice_switch WHERE is_on;`;

/**
 * What those who operate the store are told: how it grew, and notices for a webhook, which triggers
 * write with the change they are about, so that no way of making it can forget to.
 */
export const SIGNALS = `
CREATE TABLE store_measures (
  time_ms INTEGER PRIMARY KEY,
  protected_bytes INTEGER NOT NULL,
  stored_bytes INTEGER NOT NULL,
  free_bytes INTEGER,
  snapshot_count INTEGER NOT NULL
);

CREATE TABLE notice_switch (one INTEGER PRIMARY KEY CHECK (one = 1), is_on INTEGER NOT NULL);
INSERT INTO notice_switch (one, is_on) VALUES (1, 0);
CREATE TABLE notices (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  -- The snapshot's id and account; of a damaged record the rest.
  snapshot TEXT,
  account TEXT,
  domain TEXT,
  name BLOB,
  segment INTEGER,
  offset INTEGER,
  -- Until when nobody else may take it.
  taken_until_ms INTEGER NOT NULL DEFAULT 0
);
-- What comes back from the recycle bin was completed before.
CREATE TRIGGER snapshot_settling_noticed AFTER UPDATE OF state ON snapshots
  WHEN new.state IN ('completed', 'error') AND old.state IN ('pending', 'sealing', 'copying')
  BEGIN ${NOTE_SNAPSHOT} END;
-- A copy within a domain shares everything and is completed from the start.
CREATE TRIGGER snapshot_copy_noticed AFTER INSERT ON snapshots WHEN new.state = 'completed'
  BEGIN ${NOTE_SNAPSHOT} END;
CREATE TRIGGER damage_noticed AFTER INSERT ON damaged_records BEGIN
  INSERT INTO notices (kind, domain, name, segment, offset)
    SELECT 'damaged', new.domain, new.name, new.segment, new.offset
    FROM notice_switch WHERE is_on;
END;
`;
