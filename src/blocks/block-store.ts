import { KeyedLock } from "../base/concurrency.ts";
import { UnavailableError } from "../base/unavailable.ts";
import type {
  BlockTable,
  Catalog,
  Location,
  PendingWrite,
  WriteRefusal,
} from "../catalog/catalog.ts";
import type { LivenessTable } from "../catalog/collection.ts";
import {
  type Digest,
  type RecordName,
  ZERO_BLOCK_DIGEST,
  ZERO_BLOCK_NAME,
} from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import type { Domain, SnapshotId } from "../model/ids.ts";
import { BATCH_SIZE_BYTES_MAX, BLOCK_SIZE_BYTES } from "../model/limits.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { SegmentStore } from "../segments/segment-store.ts";
import type { NodeStore } from "../tree/node-store.ts";
import { type BlockWork, ownWork } from "./block-work.ts";
import { DamagedRecords, type DamageWatch, keyOf } from "./damaged-records.ts";
import type { DomainCipher } from "./domain-cipher.ts";
import type { DomainSecrets } from "./domain-secrets.ts";
import { type RecordIdentity, sealRecord } from "./encode-record.ts";
import { GroupCommit } from "./group-commit.ts";
import { digestOf } from "./hash.ts";
import { RECORD_KIND, type RecordHeader, type RecordKind } from "./record.ts";
import { nameOf, RecordReader } from "./record-reader.ts";

const ZERO_BLOCK = new Uint8Array(BLOCK_SIZE_BYTES);

/** A block index of a pending snapshot and the digest of what was written there. */
export interface WrittenBlock {
  readonly blockIndex: number;
  readonly digest: Digest;
}

/** The tables that a block store works with, and who does the work on blocks. */
export type BlockStoreParts = Pick<Catalog, "blocks"> & {
  readonly liveness: Pick<LivenessTable, "refer">;
  /** By default whoever asks. */
  readonly work?: BlockWork | undefined;
  /**
   * True where a look-up is a way to another machine: those of puts then wait for the batch that is
   * being appended, behind which their own would wait anyway, and go together. By default each is
   * made at once, so that encoding goes on beside the append.
   */
  readonly looksUpTogether?: boolean | undefined;
};

/** Where a block is written to. */
export interface BlockTarget {
  readonly domain: Domain;
  readonly snapshotId: SnapshotId;
  readonly blockIndex: number;
  /** When the snapshot expires after this write, in milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** What has to resolve before anything is made durable; where it rejects, nothing is. */
  readonly isConfirmed?: Promise<void> | undefined;
}

/**
 * Content-addressed records on segments and catalog. Equal contents are stored once within a
 * domain; a block of zeros is never stored; nothing is answered that does not hash to its name.
 */
export class BlockStore {
  readonly #catalog: BlockTable;
  readonly #liveness: Pick<LivenessTable, "refer">;
  readonly #work: BlockWork;
  readonly #commits: GroupCommit;
  /** Records being encoded or committed, so that the same contents arriving twice wait once. */
  readonly #arriving = new Map<string, Promise<unknown>>();
  /** Records known to be damaged: not stored, as far as a put is concerned. */
  readonly #damaged: DamagedRecords;
  /** Reads what is stored, record by record. */
  readonly records: RecordReader;
  /** True where the catalog is a way off, and puts look up together what they need. */
  readonly looksUpTogether: boolean;
  #busyCount = 0;
  readonly #puts = new KeyedLock();

  constructor(segments: SegmentStore, catalog: BlockStoreParts, secrets: DomainSecrets) {
    const { work = ownWork } = catalog;
    this.#work = work;
    this.looksUpTogether = catalog.looksUpTogether ?? false;
    this.#catalog = catalog.blocks;
    this.#liveness = catalog.liveness;
    this.#damaged = new DamagedRecords(catalog.blocks);
    const parts = { segments, table: catalog.blocks, secrets, damaged: this.#damaged, work };
    this.records = new RecordReader(parts);
    this.#commits = new GroupCommit(segments, catalog.blocks, BATCH_SIZE_BYTES_MAX);
  }

  /** Recalls which records are damaged; from now on, whoever watches is told of more. */
  recallDamaged(watch: DamageWatch): Promise<void> {
    return this.#damaged.recall(watch);
  }

  /** Takes note of which records other processes have found damaged, or stored anew. */
  refreshDamaged(): Promise<void> {
    return this.#damaged.refresh();
  }

  /** Blocks being put or read just now, for callers who wait for them. */
  get busyCount(): number {
    return this.#busyCount;
  }

  /** SHA-256 of a block's bytes, which must not change until it is there. */
  digestOf(bytes: Uint8Array): Promise<Digest> {
    return this.#work.digest(bytes);
  }

  /**
   * Writes a block to a pending snapshot; durable when it resolves. `bytes` must hash to `digest`
   * (the caller has just checked that) and must not change until then. Answers "not-pending" when
   * the snapshot takes no writes any more, else undefined.
   */
  async putBlock(
    target: BlockTarget,
    digest: Digest,
    bytes: Uint8Array,
  ): Promise<WriteRefusal | undefined> {
    // From when it arrived: this process may be presumed dead, and begin anew, before it is done.
    const term = this.#catalog.term();
    // An earlier put of the same block index may still be under way although its caller has gone;
    // it must not come after this one.
    const key = `${target.snapshotId} ${target.blockIndex}`;
    return this.#busy(() =>
      this.#puts.run(key, async () => {
        const cipher = await this.records.cipherOf(target.domain);
        const identity = identityOf(RECORD_KIND.block, target.domain, { digest, cipher });
        const refusal = await this.#putBlock(target, { identity, cipher, plain: bytes, term });
        if (refusal !== "late") return refusal;
        throw new UnavailableError("This process was presumed dead while the block was put");
      }),
    );
  }

  async #putBlock(target: BlockTarget, record: PlainRecord): Promise<WriteRefusal | undefined> {
    const { identity } = record;
    const { isConfirmed, ...place } = target;
    const write = { ...place, name: identity.name, term: record.term };
    const isStored = await this.#isStored(identity);
    await isConfirmed;
    if (isStored) {
      const refusal = await this.#commits.commit({ record: undefined, write });
      // Refused as "not-stored": collected since the look-up. The bytes are here, so store them.
      if (refusal !== "not-stored") return refusal;
    }
    // While we looked it up, the same contents may have begun to arrive: then let them.
    if (this.#arriving.has(keyOf(identity))) return this.#putBlock(target, record);
    return this.#store(record, write);
  }

  /**
   * Reads a block and checks it. Throws a `CorruptionError` if it is missing or damaged. The answer
   * may lie in `buffer`, if one of `BLOCK_BUFFER_BYTES` is given.
   */
  async getBlock(domain: Domain, digest: Digest, buffer?: Uint8Array): Promise<Uint8Array> {
    if (digest === ZERO_BLOCK_DIGEST) return ZERO_BLOCK;
    return this.#busy(() => this.records.load(domain, digest, buffer));
  }

  /** The store as the block map of one domain sees it. */
  nodeStore(domain: Domain): NodeStore {
    return {
      getNode: (digest) => this.records.load(domain, digest),
      getNodes: (digests) => this.records.loadAll(domain, digests),
      putNode: async (bytes) => (await this.#putRecord(RECORD_KIND.node, domain, bytes)).digest,
    };
  }

  /** Stores a snapshot's manifest; durable when it resolves. Answers under what name. */
  async putManifest(domain: Domain, bytes: Uint8Array): Promise<RecordName> {
    return (await this.#putRecord(RECORD_KIND.manifest, domain, bytes)).name;
  }

  /** Stores an entry of the journal; durable when it resolves. Answers under what name. */
  async putEntry(domain: Domain, bytes: Uint8Array): Promise<RecordName> {
    return (await this.#putRecord(RECORD_KIND.entry, domain, bytes)).name;
  }

  /**
   * Stores a whole record, as it was read from there, once more, and has it found here from now on.
   * Throws a `CorruptionError`, and leaves it where it is, when it is not what its name says. What
   * nobody can read any more, for its key was destroyed, is moved byte by byte: it must not keep a
   * whole segment. `isConfirmed` is asked for once it is known to be whole: where it rejects,
   * nothing is stored.
   */
  async moveRecord(location: Location, isConfirmed?: () => Promise<void>): Promise<void> {
    const { record, header } = await this.records.wholeAt(location);
    await isConfirmed?.();
    const { domain, name } = header;
    const moved = { domain, name, entry: [record], replaces: false, movedFrom: location };
    await this.#commits.commit({ record: moved, write: undefined });
  }

  /**
   * Stores a whole record of another store, under the name that it has there, also in place of one
   * that is known to be damaged; durable when it resolves, and read again and hashed by then.
   * Throws a `CorruptionError` where that fails, and then it is known to be damaged.
   */
  async addRecord({ domain, name }: RecordHeader, record: Uint8Array): Promise<void> {
    const replaces = await this.#damaged.has({ domain, name });
    const added = { domain, name, entry: [record], replaces };
    await this.#commits.commit({ record: added, write: undefined });
    if (replaces) this.#damaged.forget({ domain, name });
    const location = await this.#catalog.locate(domain, name);
    if (!location) throw new CorruptionError(`The record ${name} was stored, and is not there`);
    const state = await this.records.verify({ domain, name, ...location });
    if (state === "locked") throw new Error(`The key of what was stored as ${name} cannot be had`);
    if (state === "whole") return;
    // What is not known as damaged would be taken for stored the next time.
    const isKnown = state !== "damaged" || (await this.#catalog.isDamaged(domain, name));
    if (!isKnown) throw new Error("The catalog did not take note of a damaged record");
    throw new CorruptionError(`The record ${name} was stored, and is ${state} when it is read`);
  }

  /** Blocks written to a pending snapshot from a block index on, ascending, at most `limit`. */
  async pendingBlocks(
    { id, domain }: Pick<Snapshot, "id" | "domain">,
    fromIndex: number,
    limit: number,
  ): Promise<WrittenBlock[]> {
    const writes = await this.#catalog.pendingWrites(id, fromIndex, limit);
    const cipher = await this.records.cipherOf(domain);
    const names = writes.map(({ name }) => name);
    const digests = cipher ? cipher.digestsOf(names) : names;
    return writes.map(({ blockIndex }, i) => ({ blockIndex, digest: digests[i] as Digest }));
  }

  /** A moment to look up together; see `GroupCommit`. */
  appended(): Promise<void> {
    return this.#commits.appended();
  }

  /** Waits for everything handed in so far. */
  idle(): Promise<void> {
    return this.#commits.idle();
  }

  async #isStored(identity: RecordIdentity): Promise<boolean> {
    const { domain, name } = identity;
    if (name === ZERO_BLOCK_NAME) return true;
    // The same contents may be on their way already. If they fail to arrive, ours will be stored.
    await this.#arriving.get(keyOf(identity))?.catch(() => undefined);
    if (this.looksUpTogether) await this.#commits.appended();
    if (await this.#damaged.has(identity)) return false;
    return (await this.#catalog.locate(domain, name)) !== undefined;
  }

  async #putRecord(kind: RecordKind, domain: Domain, plain: Uint8Array): Promise<RecordIdentity> {
    const cipher = await this.records.cipherOf(domain);
    const identity = identityOf(kind, domain, { digest: digestOf(plain), cipher });
    // Once more after having waited for the same contents, which may have failed to arrive.
    do {
      const isStored = await this.#isStored(identity);
      // Looked up is not enough: what nothing refers to may be collected at any moment.
      if (isStored && (await this.#liveness.refer(domain, identity.name))) return identity;
    } while (this.#arriving.has(keyOf(identity)));
    await this.#store({ identity, cipher, plain }, undefined);
    return identity;
  }

  /** Encodes and commits a record, and the write that goes with it. */
  async #store(
    record: PlainRecord,
    write: PendingWrite | undefined,
  ): Promise<WriteRefusal | undefined> {
    const key = keyOf(record.identity);
    const arriving = this.#encodeAndCommit(record, write);
    this.#arriving.set(key, arriving);
    try {
      return await arriving;
    } finally {
      if (this.#arriving.get(key) === arriving) this.#arriving.delete(key);
    }
  }

  async #encodeAndCommit(
    { identity, cipher, plain }: PlainRecord,
    write: PendingWrite | undefined,
  ): Promise<WriteRefusal | undefined> {
    const work = this.#work;
    const payload = await work.encode(plain, cipher !== undefined);
    const whole = { ...identity, plainLength: plain.length };
    const entry = await sealRecord(whole, payload, { cipher, work });
    const { domain, name } = identity;
    // A damaged record stays where it is; what is found under its name from now on is this one.
    const replaces = await this.#damaged.has(identity);
    const record = { domain, name, entry, replaces };
    const refusal = await this.#commits.commit({ record, write });
    if (replaces) this.#damaged.forget(identity);
    return refusal;
  }

  async #busy<T>(work: () => Promise<T>): Promise<T> {
    this.#busyCount += 1;
    try {
      return await work();
    } finally {
      this.#busyCount -= 1;
    }
  }
}

/** Contents on their way into the store. */
interface PlainRecord {
  readonly identity: RecordIdentity;
  readonly cipher: DomainCipher | undefined;
  readonly plain: Uint8Array;
  /** Of the catalog, when the write that goes with it arrived. */
  readonly term?: number;
}

function identityOf(
  kind: RecordKind,
  domain: Domain,
  { digest, cipher }: { readonly digest: Digest; readonly cipher: DomainCipher | undefined },
): RecordIdentity {
  return { kind, domain, digest, name: nameOf(digest, cipher) };
}
