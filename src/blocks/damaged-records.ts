import type { DamageTable, StoredRecord } from "../catalog/integrity.ts";

/** Damaged records known without asking the catalog; where there are more, it is asked (ours). */
const KNOWN_COUNT_MAX = 100_000;

/** Who is told of damaged records, and when that is. */
export interface DamageWatch {
  readonly nowMs: () => number;
  /** Hears of each damaged record once, when it is found. */
  readonly onDamaged: (record: StoredRecord, reason: string) => void;
}

/** A record by its name. */
type Named = Pick<StoredRecord, "domain" | "name">;

/** The records known to be damaged: in the catalog, and the first of them in memory as well. */
export class DamagedRecords {
  readonly #table: DamageTable;
  #known = new Set<string>();
  /** True once there may be some that are in the catalog alone. */
  #areMore = false;
  #watch: DamageWatch = { nowMs: () => 0, onDamaged: () => undefined };

  constructor(table: DamageTable) {
    this.#table = table;
  }

  /** Recalls those found by earlier processes; from now on, whoever watches is told of more. */
  async recall(watch: DamageWatch): Promise<void> {
    this.#watch = watch;
    for (const record of await this.#table.damaged(KNOWN_COUNT_MAX)) this.#remember(record);
  }

  /** Takes note of what other processes have found damaged, or stored anew, since the last time. */
  async refresh(): Promise<void> {
    const found = await this.#table.damaged(KNOWN_COUNT_MAX);
    this.#areMore = false;
    this.#known = new Set();
    for (const record of found) this.#remember(record);
  }

  async has(record: Named): Promise<boolean> {
    if (this.#known.has(keyOf(record))) return true;
    return this.#areMore && this.#table.isDamaged(record.domain, record.name);
  }

  /** Notes a damaged record, unless it lies elsewhere by now. */
  async add(record: StoredRecord, reason: string): Promise<void> {
    const foundAtMs = this.#watch.nowMs();
    // Where it cannot be noted, on a full disk, it is told of all the same, and found again.
    const isNews = await this.#table.addDamaged({ ...record, foundAtMs }).catch(() => true);
    if (!isNews) return;
    this.#remember(record);
    this.#watch.onDamaged(record, reason);
  }

  /** For one that was found whole again. */
  async remove(record: Named): Promise<void> {
    await this.#table.removeDamaged(record.domain, record.name);
    this.forget(record);
  }

  /** For one that was replaced: the catalog knows already. */
  forget(record: Named): void {
    this.#known.delete(keyOf(record));
  }

  #remember(record: Named): void {
    this.#areMore ||= this.#known.size + 1 >= KNOWN_COUNT_MAX;
    if (this.#known.size < KNOWN_COUNT_MAX) this.#known.add(keyOf(record));
  }
}

/** One text for a record's domain and name, to look it up by in memory. */
export function keyOf({ domain, name }: Named): string {
  return domain + name;
}
