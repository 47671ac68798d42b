import { noticeFrom } from "../rows.ts";
import type { Notice, NoticeTable } from "../statistics.ts";
import type { SqliteDatabase } from "./_sqlite-database.ts";

/** `NoticeTable` on SQLite. */
export class SqliteNoticeTable implements NoticeTable {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async turn(isOn: boolean): Promise<void> {
    // A start that changes nothing writes nothing.
    const row = this.#database.get("SELECT is_on FROM notice_switch");
    if (row?.["is_on"] === (isOn ? 1 : 0)) return;
    this.#database.transaction(() => {
      this.#database.run("UPDATE notice_switch SET is_on = ?", isOn ? 1 : 0);
      if (!isOn) this.#database.run("DELETE FROM notices");
    });
  }

  async take(
    { nowMs, untilMs }: { readonly nowMs: number; readonly untilMs: number },
    limit: number,
  ): Promise<Notice[]> {
    // Asked for often and mostly in vain: a write would be a sync each time.
    const free = "SELECT number FROM notices WHERE taken_until_ms <= ? ORDER BY number LIMIT ?";
    if (!this.#database.get(free, nowMs, 1)) return [];
    return this.#database.transaction(() => {
      const sql = `SELECT * FROM notices WHERE number IN (${free}) ORDER BY number`;
      const rows = this.#database.all(sql, nowMs, limit);
      for (const row of rows) {
        const number = row["number"] as number;
        this.#database.run(
          "UPDATE notices SET taken_until_ms = ? WHERE number = ?",
          untilMs,
          number,
        );
      }
      return rows.map(noticeFrom);
    });
  }

  async remove(numbers: readonly number[]): Promise<void> {
    if (numbers.length === 0) return;
    this.#database.transaction(() => {
      for (const number of numbers) {
        this.#database.run("DELETE FROM notices WHERE number = ?", number);
      }
    });
  }

  async trim(countMax: number): Promise<number> {
    const surplus = (await this.count()) - countMax;
    if (surplus <= 0) return 0;
    const oldest = "SELECT number FROM notices ORDER BY number LIMIT ?";
    return this.#database.run(`DELETE FROM notices WHERE number IN (${oldest})`, surplus);
  }

  async count(): Promise<number> {
    return this.#database.get("SELECT count(*) AS count FROM notices")?.["count"] as number;
  }
}
