import {
  digestFromBytes,
  digestToBytes,
  type RecordName,
  recordNameFromBytes,
} from "../../model/digest.ts";
import type { AccountId, SnapshotId } from "../../model/ids.ts";
import type { Snapshot, SnapshotState } from "../../model/snapshot.ts";
import { assertChange, assertLocated, neededBy } from "../assertions.ts";
import type {
  ClientTokenUse,
  DeletionOutcome,
  DeletionTerms,
  EarlierStart,
  SnapshotTable,
  StartRefusal,
  StateChange,
  TagsChange,
} from "../catalog.ts";
import type { Row } from "../rows.ts";
import { snapshotFrom, snapshotValues } from "../rows.ts";
import { Gathered } from "./_gathered.ts";
import { needsParent, noteChanges, noteRoots, refer, rootOf, shareGeneration } from "./_notes.ts";
import type { PostgresDatabase, Queries } from "./_postgres-database.ts";
import { noticeSnapshot } from "./_postgres-notices.ts";
import { forgetCopies, removeSnapshots } from "./_snapshot-ends.ts";
import { INSERT_SNAPSHOT, isLasting, UPDATE_SNAPSHOT } from "./_snapshot-rows.ts";

/** Somebody else used the client token meanwhile: nothing is done, and they are asked for. */
class TokenTaken extends Error {}

/** `SnapshotTable` on PostgreSQL. */
export class PostgresSnapshotTable implements SnapshotTable {
  readonly #database: PostgresDatabase;
  readonly #gathered = new Gathered((ids: readonly SnapshotId[]) => this.#get(ids));

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async startedWith(account: AccountId, token: ClientTokenUse): Promise<EarlierStart | undefined> {
    const row = await this.#database.get(
      `SELECT snapshots.*, client_tokens.fingerprint FROM client_tokens
       JOIN snapshots ON snapshots.number = client_tokens.snapshot
       WHERE client_tokens.account = $1 AND client_tokens.client_token = $2`,
      account,
      token.clientToken,
    );
    if (!row) return undefined;
    const fingerprint = digestFromBytes(row["fingerprint"] as Uint8Array);
    if (fingerprint !== token.fingerprint) return { outcome: "conflict" };
    return { outcome: "replayed", snapshot: snapshotFrom(row) };
  }

  async start(
    snapshot: Snapshot,
    token: ClientTokenUse | undefined,
  ): Promise<StartRefusal | undefined> {
    for (;;) {
      const earlier = token && (await this.startedWith(snapshot.account, token));
      if (earlier) return earlier;
      try {
        return await this.#database.transaction((queries) => start(queries, snapshot, token));
      } catch (error) {
        // Whoever took it may have been deleted by now; then it is free again.
        if (!(error instanceof TokenTaken)) throw error;
      }
    }
  }

  get(id: SnapshotId): Promise<Snapshot | undefined> {
    return this.#gathered.get(id);
  }

  async #get(ids: readonly SnapshotId[]): Promise<(Snapshot | undefined)[]> {
    const distinct = [...new Set(ids)];
    const rows = await this.#database.all(
      "SELECT * FROM snapshots WHERE id = ANY ($1::text[])",
      distinct,
    );
    const found = new Map(rows.map(snapshotFrom).map((snapshot) => [snapshot.id, snapshot]));
    return ids.map((id) => found.get(id));
  }

  async page(account: AccountId, afterId: string, limit: number): Promise<Snapshot[]> {
    const rows = await this.#database.all(
      `SELECT * FROM snapshots WHERE account = $1 AND id > $2 AND state <> 'recycled'
       ORDER BY id LIMIT $3`,
      account,
      afterId,
      limit,
    );
    return rows.map(snapshotFrom);
  }

  async relatives(snapshot: Snapshot, limit: number): Promise<Snapshot[]> {
    const { id, account, lineage, startTimeMs } = snapshot;
    const rows = await this.#database.all(
      `SELECT * FROM snapshots
       WHERE account = $1 AND lineage = $2 AND id <> $3 AND state <> 'recycled'
       ORDER BY abs(start_time_ms - $4), id LIMIT $5`,
      account,
      lineage,
      id,
      startTimeMs,
      limit,
    );
    return rows.map(snapshotFrom);
  }

  async inState(state: SnapshotState): Promise<Snapshot[]> {
    const sql = "SELECT * FROM snapshots WHERE state = $1 ORDER BY number";
    return (await this.#database.all(sql, state)).map(snapshotFrom);
  }

  async changeState(id: SnapshotId, from: SnapshotState, change: StateChange): Promise<boolean> {
    assertChange(from, change);
    const { attempt, rootNames: _, ...fields } = change;
    const needed = neededBy(change);
    return this.#database.transaction(async (queries) => {
      // Before the snapshot: that is the order of locks.
      const located = await holdLocated(queries, id, needed);
      const row = await queries.get(
        `SELECT * FROM snapshots WHERE id = $1 AND state = $2
           AND seal_attempt = coalesce($3, seal_attempt) FOR UPDATE`,
        id,
        from,
        attempt ?? null,
      );
      if (!row) return false;
      assertLocated(needed, located);
      const changed = { ...snapshotFrom(row), ...fields };
      const number = row["number"] as number;
      await queries.run(UPDATE_SNAPSHOT, ...snapshotValues(changed), number);
      await noteRoots(queries, rootsLost(row, changed));
      if (from === "copying" && change.state !== "copying") await forgetCopies(queries, [number]);
      if (isLasting(change.state)) await noteChanges(queries, [`snapshot/${id}`]);
      if (isSettling(from, change.state)) await noticeSnapshot(queries, changed);
      return true;
    });
  }

  async expire(nowMs: number, stateMessage: string): Promise<number> {
    const row = await this.#database.get(
      `WITH expired AS (
         UPDATE snapshots SET state = 'error', state_message = $1
         WHERE state = 'pending' AND expires_at_ms <= $2
         RETURNING id, account, domain, lineage, start_time_ms, parent_root
       ), noticed AS (
         INSERT INTO notices (kind, snapshot, account)
         SELECT 'failed', id, expired.account FROM expired, (
           SELECT 1 FROM notice_switch WHERE one = 1 AND is_on = 1) AS switch
       ), noted AS (
         INSERT INTO garbage_roots (domain, lineage, start_time_ms, root)
         SELECT domain, lineage, start_time_ms, parent_root FROM expired
         WHERE parent_root IS NOT NULL
       )
       SELECT count(*) AS count FROM expired`,
      stateMessage,
      nowMs,
    );
    return row?.["count"] as number;
  }

  async delete(id: SnapshotId, terms: DeletionTerms): Promise<DeletionOutcome> {
    return this.#database.transaction(async (queries) => {
      const generation = await shareGeneration(queries);
      const sql = "SELECT number, state FROM snapshots WHERE id = $1 FOR UPDATE";
      const row = await queries.get(sql, id);
      if (!row || row["state"] === "recycled") return "unknown";
      const number = row["number"] as number;
      // Whoever locks or uses a snapshot shares its row, so from here on nobody begins to.
      const held = await queries.get(
        `SELECT EXISTS (SELECT 1 FROM image_snapshots WHERE snapshot = $1) AS used,
           EXISTS (SELECT 1 FROM snapshot_locks WHERE snapshot = $1 AND expires_at_ms > $2)
             AS locked`,
        number,
        terms.nowMs,
      );
      if (held?.["locked"]) return "locked";
      if (held?.["used"]) return "in-use";
      if (terms.binnedUntilMs !== undefined && row["state"] === "completed") {
        await recycle(queries, { id, number }, terms);
      } else {
        await removeSnapshots(queries, generation, [number]);
      }
      return "deleted";
    });
  }

  async changeTags(id: SnapshotId, change: TagsChange): Promise<void> {
    await this.#database.transaction(async (queries) => {
      const row = await queries.get("SELECT * FROM snapshots WHERE id = $1 FOR UPDATE", id);
      if (!row) return;
      const changed = change(snapshotFrom(row).tags);
      const sql = "UPDATE snapshots SET tags = $1 WHERE id = $2";
      await queries.run(sql, JSON.stringify(changed), id);
      if (isLasting(row["state"])) await noteChanges(queries, [`snapshot/${id}`]);
    });
  }
}

async function start(
  queries: Queries,
  snapshot: Snapshot,
  token: ClientTokenUse | undefined,
): Promise<StartRefusal | undefined> {
  const { id, account, parent, state, domain, manifest } = snapshot;
  if (manifest) {
    const generation = await shareGeneration(queries);
    if (!(await refer(queries, generation, { domain, name: manifest }))) {
      return { outcome: "manifest-gone" };
    }
  }
  if (parent && state === "pending") {
    const isThere = `SELECT 1 AS one FROM snapshots
      WHERE id = $1 AND state = 'completed' FOR SHARE`;
    if (!(await queries.get(isThere, parent))) return { outcome: "parent-gone" };
  }
  const added = await queries.get(INSERT_SNAPSHOT, ...snapshotValues(snapshot));
  if (token) {
    const taken = await queries.run(
      `INSERT INTO client_tokens (account, client_token, fingerprint, snapshot)
       VALUES ($1, $2, $3, $4) ON CONFLICT (account, client_token) DO NOTHING`,
      account,
      token.clientToken,
      digestToBytes(token.fingerprint),
      added?.["number"] as number,
    );
    if (taken === 0) throw new TokenTaken();
  }
  if (isLasting(state)) await noteChanges(queries, [`snapshot/${id}`]);
  // A copy within a domain shares everything and is completed from the start.
  if (state === "completed") await noticeSnapshot(queries, snapshot);
  return undefined;
}

/** Those of the records of a snapshot's domain that are located, and stay so until the commit. */
async function holdLocated(
  queries: Queries,
  id: SnapshotId,
  names: readonly RecordName[],
): Promise<ReadonlySet<string>> {
  if (names.length === 0) return new Set();
  const rows = await queries.all(
    `SELECT name FROM locations
     WHERE domain = (SELECT domain FROM snapshots WHERE id = $1) AND name = ANY ($2::bytea[])
     ORDER BY name FOR KEY SHARE`,
    id,
    names.map(digestToBytes),
  );
  return new Set(rows.map((row) => recordNameFromBytes(row["name"] as Uint8Array)));
}

/** What comes back from the recycle bin was completed before. */
function isSettling(from: SnapshotState, to: SnapshotState): boolean {
  const wasUnderWay = from === "pending" || from === "sealing" || from === "copying";
  return wasUnderWay && (to === "completed" || to === "error");
}

/** A settled snapshot needs its parent's root no more, nor a writer map that was replaced. */
function rootsLost(row: Row, changed: Snapshot) {
  const isSettled = changed.state === "completed" || changed.state === "error";
  const before = row["writers_root"] as Uint8Array | null;
  const isReplaced = before !== null && digestFromBytes(before) !== changed.writersRoot;
  return [
    ...(needsParent(row) && isSettled ? [rootOf(row, "parent_root")] : []),
    ...(isReplaced ? [rootOf(row, "writers_root")] : []),
  ];
}

async function recycle(
  queries: Queries,
  { id, number }: { readonly id: SnapshotId; readonly number: number },
  { nowMs, binnedUntilMs = nowMs }: DeletionTerms,
): Promise<void> {
  await queries.run("UPDATE snapshots SET state = 'recycled' WHERE number = $1", number);
  await queries.run("DELETE FROM client_tokens WHERE snapshot = $1", number);
  await queries.run(
    "INSERT INTO recycled_snapshots (snapshot, entered_at_ms, exits_at_ms) VALUES ($1, $2, $3)",
    number,
    nowMs,
    binnedUntilMs,
  );
  await noteChanges(queries, [`snapshot/${id}`]);
}
