import type { DomainSecrets } from "../../src/blocks/domain-secrets.ts";
import type {
  BlockTable,
  BlockWrite,
  Location,
  NewLocation,
  PendingWrite,
  WriteRefusal,
} from "../../src/catalog/catalog.ts";
import type { DamagedRecord } from "../../src/catalog/integrity.ts";
import { ZERO_BLOCK_NAME } from "../../src/model/digest.ts";
import type {
  Entry,
  Placement,
  SegmentInfo,
  SegmentStore,
} from "../../src/segments/segment-store.ts";

/** For stores in which nothing is encrypted. */
export const NO_SECRETS: DomainSecrets = {
  secretsOf: (domain) => Promise.reject(new Error(`There are no secrets for ${domain}`)),
};

/** Segments in memory that can be held up, made to fail, and damaged. */
export class FakeSegments implements SegmentStore {
  readonly batches: Buffer[][] = [];
  readonly log: string[];
  /** Awaited before each append; throws to make it fail. */
  beforeAppend: () => Promise<void> = async () => {};

  constructor(log: string[] = []) {
    this.log = log;
  }

  async append(batch: readonly Entry[]): Promise<Placement[]> {
    this.log.push("append");
    await this.beforeAppend();
    const segment = this.batches.length;
    this.batches.push(batch.map((entry) => Buffer.concat(entry)));
    this.log.push("appended");
    return batch.map((entry, offset) => {
      return { segment, offset, length: entry.reduce((sum, { length }) => sum + length, 0) };
    });
  }

  async read({ segment, offset, length }: Placement): Promise<Uint8Array> {
    const entry = this.batches[segment]?.[offset];
    if (entry?.length !== length) throw new Error("There is no such range");
    return entry;
  }

  async list(): Promise<SegmentInfo[]> {
    return this.batches.map((batch, segment) => {
      return { segment, sizeBytes: batch.length, firstOffset: 0, isClosed: true };
    });
  }

  async remove(segment: number): Promise<void> {
    this.batches[segment] = [];
  }

  async close(): Promise<void> {}

  /** All entries ever appended. */
  get entries(): Buffer[] {
    return this.batches.flat();
  }
}

/** A block table in memory where every snapshot is pending but those named closed. */
export class FakeBlockTable implements BlockTable {
  readonly locations = new Map<string, Location>();
  readonly commits: { locations: readonly NewLocation[]; writes: readonly PendingWrite[] }[] = [];
  readonly closed = new Set<string>();
  /** True to refuse writes as those of a process that has been presumed dead. */
  isLate = false;
  readonly damagedRecords = new Map<string, DamagedRecord>();
  readonly log: string[];
  /** Awaited before each commit; throws to make it fail. */
  beforeCommit: () => Promise<void> = async () => {};

  constructor(log: string[] = []) {
    this.log = log;
  }

  async commit(
    locations: readonly NewLocation[],
    writes: readonly PendingWrite[],
  ): Promise<(WriteRefusal | undefined)[]> {
    this.log.push("commit");
    await this.beforeCommit();
    this.commits.push({ locations, writes });
    for (const { domain, name, segment, offset, length, replaces } of locations) {
      const key = domain + name;
      const isKnown = this.locations.has(key);
      if (!isKnown || replaces) this.locations.set(key, { segment, offset, length });
      if (replaces) this.damagedRecords.delete(key);
    }
    this.log.push("committed");
    return writes.map(({ snapshotId, domain, name }) => {
      if (this.isLate) return "late";
      if (this.closed.has(snapshotId)) return "not-pending";
      const isStored = name === ZERO_BLOCK_NAME || this.locations.has(domain + name);
      return isStored ? undefined : "not-stored";
    });
  }

  term(): number {
    return 0;
  }

  async locate(domain: string, name: string): Promise<Location | undefined> {
    return this.locations.get(domain + name);
  }

  locateAll(domain: string, names: readonly string[]): Promise<(Location | undefined)[]> {
    return Promise.all(names.map((name) => this.locate(domain, name)));
  }

  async pendingWrites(): Promise<BlockWrite[]> {
    return [];
  }

  async refer(domain: string, name: string): Promise<boolean> {
    return this.locations.has(domain + name);
  }

  async forgetSettledWrites(): Promise<number> {
    return 0;
  }

  async damaged(limit: number): Promise<DamagedRecord[]> {
    return [...this.damagedRecords.values()].slice(0, limit);
  }

  async isDamaged(domain: string, name: string): Promise<boolean> {
    return this.damagedRecords.has(domain + name);
  }

  async addDamaged(record: DamagedRecord): Promise<boolean> {
    const key = record.domain + record.name;
    const location = this.locations.get(key);
    const isThere = location?.segment === record.segment && location.offset === record.offset;
    if (!isThere || this.damagedRecords.has(key)) return false;
    this.damagedRecords.set(key, record);
    return true;
  }

  async removeDamaged(domain: string, name: string): Promise<boolean> {
    return this.damagedRecords.delete(domain + name);
  }
}

/** A gate that work waits at until it is opened. */
export function gate(): { readonly wait: () => Promise<void>; readonly open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { wait: () => opened, open };
}
