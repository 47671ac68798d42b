import type { Row } from "../rows.ts";
import { noticeFrom } from "../rows.ts";
import type { Notice, NoticeTable } from "../statistics.ts";
import type { PostgresDatabase, Queries } from "./_postgres-database.ts";

/** `NoticeTable` on PostgreSQL. */
export class PostgresNoticeTable implements NoticeTable {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async turn(isOn: boolean): Promise<void> {
    await this.#database.transaction(async (queries) => {
      // Waits for whoever is writing one, who shares this row.
      await queries.run("UPDATE notice_switch SET is_on = $1 WHERE one = 1", isOn ? 1 : 0);
      if (!isOn) await queries.run("DELETE FROM notices");
    });
  }

  async take(
    { nowMs, untilMs }: { readonly nowMs: number; readonly untilMs: number },
    limit: number,
  ): Promise<Notice[]> {
    // Asked for often and mostly in vain: a write would be a sync each time.
    const free = "SELECT 1 AS one FROM notices WHERE taken_until_ms <= $1 LIMIT 1";
    if (!(await this.#database.get(free, nowMs))) return [];
    const rows = await this.#database.all(
      `WITH free AS (
         SELECT number FROM notices WHERE taken_until_ms <= $1
         ORDER BY number LIMIT $2 FOR UPDATE SKIP LOCKED
       )
       UPDATE notices SET taken_until_ms = $3 FROM free WHERE notices.number = free.number
       RETURNING notices.*, at_byte AS "offset"`,
      nowMs,
      limit,
      untilMs,
    );
    return rows.map(noticeFrom).sort((a, b) => a.number - b.number);
  }

  async remove(numbers: readonly number[]): Promise<void> {
    if (numbers.length === 0) return;
    await this.#database.run("DELETE FROM notices WHERE number = ANY ($1::bigint[])", numbers);
  }

  async trim(countMax: number): Promise<number> {
    const surplus = (await this.count()) - countMax;
    if (surplus <= 0) return 0;
    const oldest = "SELECT number FROM notices ORDER BY number LIMIT $1";
    return this.#database.run(`DELETE FROM notices WHERE number IN (${oldest})`, surplus);
  }

  async count(): Promise<number> {
    const row = await this.#database.get("SELECT count(*) AS count FROM notices");
    return row?.["count"] as number;
  }
}

const IS_ON = "FROM notice_switch WHERE one = 1 AND is_on = 1 FOR SHARE";

/** Tells of a snapshot that was completed or has failed, if anybody is to be told. */
export async function noticeSnapshot(
  queries: Queries,
  { id, account, state }: { readonly id: string; readonly account: string; readonly state: string },
): Promise<void> {
  await queries.run(
    `INSERT INTO notices (kind, snapshot, account)
     SELECT $1, $2, $3 FROM (SELECT 1 ${IS_ON}) AS switch`,
    state === "completed" ? "completed" : "failed",
    id,
    account,
  );
}

/** Tells of damaged records, if anybody is to be told. */
export async function noticeDamage(queries: Queries, record: Row): Promise<void> {
  await queries.run(
    `INSERT INTO notices (kind, domain, name, segment, at_byte)
     SELECT 'damaged', $1, $2, $3, $4 FROM (SELECT 1 ${IS_ON}) AS switch`,
    record["domain"] as string,
    record["name"] as Uint8Array,
    record["segment"] as number,
    record["at_byte"] as number,
  );
}
