import { KeyedLock } from "../base/concurrency.ts";
import type { BlockTable, Location, PendingWrite, WriteRefusal } from "../catalog/catalog.ts";
import { type Digest, ZERO_BLOCK_DIGEST } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import type { AccountId, SnapshotId } from "../model/ids.ts";
import { BATCH_SIZE_BYTES_MAX, BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { type Entry, RangeMissingError, type SegmentStore } from "../segments/segment-store.ts";
import type { NodeStore } from "../tree/node-store.ts";
import { decodePayload, encodePayload } from "./codec.ts";
import { GroupCommit } from "./group-commit.ts";
import { digestOf } from "./hash.ts";
import { decodeRecord, encodeRecordHeader, RECORD_KIND, type RecordKind } from "./record.ts";

const ZERO_BLOCK = new Uint8Array(BLOCK_SIZE_BYTES);

/** Damaged records remembered; beyond that, reading one again is what finds it (ours). */
const DAMAGED_COUNT_MAX = 100_000;

/** Where a block is written to. */
export interface BlockTarget {
  readonly domain: AccountId;
  readonly snapshotId: SnapshotId;
  readonly blockIndex: number;
  /** When the snapshot expires after this write, in milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/**
 * Content-addressed records on segments and catalog. Equal contents are stored once within a
 * domain; a block of zeros is never stored; nothing is answered that does not hash to its name.
 */
export class BlockStore {
  readonly #segments: SegmentStore;
  readonly #catalog: BlockTable;
  readonly #commits: GroupCommit;
  /** Records being encoded or committed, so that the same contents arriving twice wait once. */
  readonly #arriving = new Map<string, Promise<unknown>>();
  /** Records found damaged when they were read: not stored, as far as a put is concerned. */
  readonly #damaged = new Set<string>();
  readonly #puts = new KeyedLock();

  constructor(segments: SegmentStore, catalog: BlockTable) {
    this.#segments = segments;
    this.#catalog = catalog;
    this.#commits = new GroupCommit(segments, catalog, BATCH_SIZE_BYTES_MAX);
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
    // An earlier put of the same block index may still be under way although its caller has gone;
    // it must not come after this one.
    const key = `${target.snapshotId} ${target.blockIndex}`;
    return this.#puts.run(key, () => this.#putBlock(target, digest, bytes));
  }

  async #putBlock(
    target: BlockTarget,
    digest: Digest,
    bytes: Uint8Array,
  ): Promise<WriteRefusal | undefined> {
    const write = { ...target, digest };
    if (await this.#isStored(target.domain, digest)) {
      const refusal = await this.#commits.commit({ record: undefined, write });
      // Refused as "not-stored": collected since the look-up. The bytes are here, so store them.
      if (refusal !== "not-stored") return refusal;
    }
    // While we looked it up, the same contents may have begun to arrive: then let them.
    if (this.#arriving.has(target.domain + digest)) return this.#putBlock(target, digest, bytes);
    const name = { kind: RECORD_KIND.block, domain: target.domain, digest };
    return this.#store(name, bytes, write);
  }

  /**
   * Reads a block and checks it. Throws a `CorruptionError` if it is missing or damaged. The answer
   * may lie in `buffer`, if one of `BLOCK_BUFFER_BYTES` is given.
   */
  async getBlock(domain: AccountId, digest: Digest, buffer?: Uint8Array): Promise<Uint8Array> {
    if (digest === ZERO_BLOCK_DIGEST) return ZERO_BLOCK;
    return this.#load(domain, digest, buffer);
  }

  /** The store as the block map of one domain sees it. */
  nodeStore(domain: AccountId): NodeStore {
    return {
      getNode: (digest) => this.#load(domain, digest),
      putNode: (bytes) => this.#putRecord({ kind: RECORD_KIND.node, domain }, bytes),
    };
  }

  /** Stores a snapshot's manifest; durable when it resolves. Answers its digest. */
  putManifest(domain: AccountId, bytes: Uint8Array): Promise<Digest> {
    return this.#putRecord({ kind: RECORD_KIND.manifest, domain }, bytes);
  }

  /** Waits for everything handed in so far. */
  idle(): Promise<void> {
    return this.#commits.idle();
  }

  async #isStored(domain: AccountId, digest: Digest): Promise<boolean> {
    if (digest === ZERO_BLOCK_DIGEST) return true;
    // The same contents may be on their way already. If they fail to arrive, ours will be stored.
    await this.#arriving.get(domain + digest)?.catch(() => undefined);
    if (this.#damaged.has(domain + digest)) return false;
    return (await this.#catalog.locate(domain, digest)) !== undefined;
  }

  async #putRecord(
    { kind, domain }: { kind: RecordKind; domain: AccountId },
    bytes: Uint8Array,
  ): Promise<Digest> {
    const digest = digestOf(bytes);
    if (await this.#isStored(domain, digest)) return digest;
    if (this.#arriving.has(domain + digest)) return this.#putRecord({ kind, domain }, bytes);
    await this.#store({ kind, domain, digest }, bytes, undefined);
    return digest;
  }

  /** Encodes and commits a record, and the write that goes with it. */
  async #store(
    name: RecordName,
    bytes: Uint8Array,
    write: PendingWrite | undefined,
  ): Promise<WriteRefusal | undefined> {
    const key = name.domain + name.digest;
    const arriving = this.#encodeAndCommit(name, bytes, write);
    this.#arriving.set(key, arriving);
    try {
      return await arriving;
    } finally {
      if (this.#arriving.get(key) === arriving) this.#arriving.delete(key);
    }
  }

  async #encodeAndCommit(
    name: RecordName,
    bytes: Uint8Array,
    write: PendingWrite | undefined,
  ): Promise<WriteRefusal | undefined> {
    const entry = await encodeRecord(name, bytes);
    // A damaged record stays where it is; what is found under its name from now on is this one.
    const replaces = this.#damaged.has(name.domain + name.digest);
    const record = { domain: name.domain, digest: name.digest, entry, replaces };
    const refusal = await this.#commits.commit({ record, write });
    if (replaces) this.#damaged.delete(name.domain + name.digest);
    return refusal;
  }

  async #load(domain: AccountId, digest: Digest, buffer?: Uint8Array): Promise<Uint8Array> {
    try {
      return await this.#loadVerified(domain, digest, buffer);
    } catch (error) {
      if (error instanceof CorruptionError) this.#rememberDamaged(domain + digest);
      throw error;
    }
  }

  /** The next put of these contents stores them anew. */
  #rememberDamaged(key: string): void {
    if (this.#damaged.size < DAMAGED_COUNT_MAX) this.#damaged.add(key);
  }

  async #loadVerified(
    domain: AccountId,
    digest: Digest,
    buffer: Uint8Array | undefined,
  ): Promise<Uint8Array> {
    const location = await this.#catalog.locate(domain, digest);
    if (!location) throw new CorruptionError(`No record of ${digest} is known in ${domain}`);
    const { header, payload } = decodeRecord(await this.#read(location, buffer));
    const bytes = await decodePayload(payload, header.plainLength);
    if (digestOf(bytes) !== digest) {
      const { segment, offset } = location;
      throw new CorruptionError(
        `The record at segment ${segment}, offset ${offset} does not hash to ${digest}`,
      );
    }
    return bytes;
  }

  /** A segment that is gone or too short lost what was acknowledged; other failures may pass. */
  async #read(location: Location, buffer?: Uint8Array): Promise<Uint8Array> {
    try {
      return await this.#segments.read(location, buffer);
    } catch (cause) {
      if (!(cause instanceof RangeMissingError)) throw cause;
      throw new CorruptionError(cause.message, { cause });
    }
  }
}

interface RecordName {
  readonly kind: RecordKind;
  readonly domain: AccountId;
  readonly digest: Digest;
}

async function encodeRecord(name: RecordName, plain: Uint8Array): Promise<Entry> {
  const { codec, bytes } = await encodePayload(plain);
  const lengths = { plainLength: plain.length, storedLength: bytes.length };
  return [encodeRecordHeader({ ...name, codec, ...lengths }), bytes];
}
