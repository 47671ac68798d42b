import { KeyedLock } from "../base/concurrency.ts";
import type { BlockTable, Location, PendingWrite, WriteRefusal } from "../catalog/catalog.ts";
import type { StoredRecord } from "../catalog/integrity.ts";
import {
  type Digest,
  type RecordName,
  ZERO_BLOCK_DIGEST,
  ZERO_BLOCK_NAME,
} from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import { type Domain, isKeyDomain, type KeyDomain, type SnapshotId } from "../model/ids.ts";
import { BATCH_SIZE_BYTES_MAX, BLOCK_SIZE_BYTES } from "../model/limits.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { RangeMissingError, type SegmentStore } from "../segments/segment-store.ts";
import type { NodeStore } from "../tree/node-store.ts";
import { DamagedRecords, type DamageWatch } from "./damaged-records.ts";
import { DomainCipher } from "./domain-cipher.ts";
import type { DomainSecrets } from "./domain-secrets.ts";
import { encodeRecord, openRecord, type RecordIdentity } from "./encode-record.ts";
import { GroupCommit } from "./group-commit.ts";
import { digestOf } from "./hash.ts";
import { decodeRecord, RECORD_KIND, type RecordKind } from "./record.ts";

const ZERO_BLOCK = new Uint8Array(BLOCK_SIZE_BYTES);

/**
 * What a stored record is found to be when it is read again. `elsewhere`: it was moved, replaced or
 * removed meanwhile. `locked`: it looks whole, but its domain's secrets cannot be had, so what it
 * holds could not be hashed.
 */
export type RecordState = "whole" | "damaged" | "elsewhere" | "locked";

/** A block index of a pending snapshot and the digest of what was written there. */
export interface WrittenBlock {
  readonly blockIndex: number;
  readonly digest: Digest;
}

/** Where a block is written to. */
export interface BlockTarget {
  readonly domain: Domain;
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
  readonly #secrets: DomainSecrets;
  readonly #commits: GroupCommit;
  /** Records being encoded or committed, so that the same contents arriving twice wait once. */
  readonly #arriving = new Map<string, Promise<unknown>>();
  /** Records known to be damaged: not stored, as far as a put is concerned. */
  readonly #damaged: DamagedRecords;
  #busyCount = 0;
  readonly #puts = new KeyedLock();
  /** The cipher of each encrypted domain, and the secrets that it was made from. */
  readonly #ciphers = new Map<
    KeyDomain,
    { readonly secrets: readonly Uint8Array[]; readonly cipher: DomainCipher }
  >();

  constructor(segments: SegmentStore, catalog: BlockTable, secrets: DomainSecrets) {
    this.#segments = segments;
    this.#catalog = catalog;
    this.#secrets = secrets;
    this.#damaged = new DamagedRecords(catalog);
    this.#commits = new GroupCommit(segments, catalog, BATCH_SIZE_BYTES_MAX);
  }

  /** Recalls which records are damaged; from now on, whoever watches is told of more. */
  recallDamaged(watch: DamageWatch): Promise<void> {
    return this.#damaged.recall(watch);
  }

  /** Blocks being put or read just now, for callers who wait for them. */
  get busyCount(): number {
    return this.#busyCount;
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
    return this.#busy(() =>
      this.#puts.run(key, async () => {
        const cipher = await this.#cipherOf(target.domain);
        const identity = identityOf(RECORD_KIND.block, target.domain, { digest, cipher });
        return this.#putBlock(target, { identity, cipher, plain: bytes });
      }),
    );
  }

  async #putBlock(target: BlockTarget, record: PlainRecord): Promise<WriteRefusal | undefined> {
    const { identity } = record;
    const write = { ...target, name: identity.name };
    if (await this.#isStored(identity)) {
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
    return this.#busy(() => this.#load(domain, digest, buffer));
  }

  /** The store as the block map of one domain sees it. */
  nodeStore(domain: Domain): NodeStore {
    return {
      getNode: (digest) => this.#load(domain, digest),
      putNode: (bytes) => this.#putRecord(RECORD_KIND.node, domain, bytes),
    };
  }

  /** Stores a snapshot's manifest; durable when it resolves. Answers where to find it. */
  async putManifest(domain: Domain, bytes: Uint8Array): Promise<RecordName> {
    const digest = await this.#putRecord(RECORD_KIND.manifest, domain, bytes);
    return nameOf(digest, await this.#cipherOf(domain));
  }

  /** Reads a manifest and checks it. Throws a `CorruptionError` if it is missing or damaged. */
  async getManifest(domain: Domain, name: RecordName): Promise<Uint8Array> {
    const cipher = await this.#cipherOf(domain);
    const [digest] = cipher ? cipher.digestsOf([name]) : [name as string as Digest];
    return this.#load(domain, digest as Digest);
  }

  /**
   * Reads a record again, whatever it is of: its header, its payload, and what that hashes to. One
   * that is damaged is remembered, so that the next put of the same contents stores them anew, and
   * one that was so and is whole is damaged no more. Rejects when it cannot be known.
   */
  async verifyRecord(record: StoredRecord): Promise<RecordState> {
    const { domain, name } = record;
    const isLocked = () => "locked" as const;
    const cipher = await this.#cipherOf(domain).catch(isLocked);
    try {
      await this.#checkRecord(record, cipher);
    } catch (error) {
      if (!isDamage(error)) throw error;
      const location = await this.#catalog.locate(domain, name);
      if (!location || !isSamePlace(location, record)) return "elsewhere";
      await this.#damaged.add(record, error.message);
      return "damaged";
    }
    if (cipher === "locked") return "locked";
    if (await this.#damaged.has(record)) await this.#damaged.remove(record);
    return "whole";
  }

  async #checkRecord(record: StoredRecord, cipher: DomainCipher | "locked" | undefined) {
    const bytes = await this.#readAgain(record);
    const { header } = decodeRecord(bytes);
    if (header.domain !== record.domain || header.name !== record.name) {
      throw new CorruptionError("The record there says that it is another one");
    }
    if (cipher === "locked") return;
    const { plain } = await openRecord(bytes, cipher);
    if (nameOf(digestOf(plain), cipher) !== record.name) {
      throw new CorruptionError("The record does not hash to its name");
    }
  }

  /** A disk that fails to read may do so once; one that fails twice has lost what lies there. */
  async #readAgain(location: Location): Promise<Uint8Array> {
    return this.#read(location).catch((error: unknown) => {
      if (!isDiskError(error)) throw error;
      return this.#read(location);
    });
  }

  /** Blocks written to a pending snapshot from a block index on, ascending, at most `limit`. */
  async pendingBlocks(
    { id, domain }: Pick<Snapshot, "id" | "domain">,
    fromIndex: number,
    limit: number,
  ): Promise<WrittenBlock[]> {
    const writes = await this.#catalog.pendingWrites(id, fromIndex, limit);
    const cipher = await this.#cipherOf(domain);
    const names = writes.map(({ name }) => name);
    const digests = cipher ? cipher.digestsOf(names) : names;
    return writes.map(({ blockIndex }, i) => ({ blockIndex, digest: digests[i] as Digest }));
  }

  /** Waits for everything handed in so far. */
  idle(): Promise<void> {
    return this.#commits.idle();
  }

  async #cipherOf(domain: Domain): Promise<DomainCipher | undefined> {
    if (!isKeyDomain(domain)) return undefined;
    const secrets = await this.#secrets.secretsOf(domain);
    const known = this.#ciphers.get(domain);
    if (known?.secrets === secrets) return known.cipher;
    const cipher = new DomainCipher(secrets);
    this.#ciphers.set(domain, { secrets, cipher });
    return cipher;
  }

  async #isStored(identity: RecordIdentity): Promise<boolean> {
    const { domain, name } = identity;
    if (name === ZERO_BLOCK_NAME) return true;
    // The same contents may be on their way already. If they fail to arrive, ours will be stored.
    await this.#arriving.get(keyOf(identity))?.catch(() => undefined);
    if (await this.#damaged.has(identity)) return false;
    return (await this.#catalog.locate(domain, name)) !== undefined;
  }

  async #putRecord(kind: RecordKind, domain: Domain, plain: Uint8Array): Promise<Digest> {
    const cipher = await this.#cipherOf(domain);
    const identity = identityOf(kind, domain, { digest: digestOf(plain), cipher });
    // Once more after having waited for the same contents, which may have failed to arrive.
    do {
      if (await this.#isStored(identity)) return identity.digest;
    } while (this.#arriving.has(keyOf(identity)));
    await this.#store({ identity, cipher, plain }, undefined);
    return identity.digest;
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
    const entry = await encodeRecord(identity, plain, cipher);
    const { domain, name } = identity;
    // A damaged record stays where it is; what is found under its name from now on is this one.
    const replaces = await this.#damaged.has(identity);
    const record = { domain, name, entry, replaces };
    const refusal = await this.#commits.commit({ record, write });
    if (replaces) this.#damaged.forget(identity);
    return refusal;
  }

  async #load(domain: Domain, digest: Digest, buffer?: Uint8Array): Promise<Uint8Array> {
    const cipher = await this.#cipherOf(domain);
    const name = nameOf(digest, cipher);
    const location = await this.#catalog.locate(domain, name);
    if (!location) throw new CorruptionError(`No record of ${digest} is known in ${domain}`);
    try {
      return await this.#loadVerified({ digest, location }, cipher, buffer);
    } catch (error) {
      if (error instanceof CorruptionError) {
        await this.#damaged.add({ domain, name, ...location }, error.message);
      }
      throw error;
    }
  }

  async #busy<T>(work: () => Promise<T>): Promise<T> {
    this.#busyCount += 1;
    try {
      return await work();
    } finally {
      this.#busyCount -= 1;
    }
  }

  async #loadVerified(
    { digest, location }: { readonly digest: Digest; readonly location: Location },
    cipher: DomainCipher | undefined,
    buffer: Uint8Array | undefined,
  ): Promise<Uint8Array> {
    const { plain } = await openRecord(await this.#read(location, buffer), cipher);
    if (digestOf(plain) !== digest) {
      const { segment, offset } = location;
      throw new CorruptionError(
        `The record at segment ${segment}, offset ${offset} does not hash to ${digest}`,
      );
    }
    return plain;
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

/** Contents on their way into the store. */
interface PlainRecord {
  readonly identity: RecordIdentity;
  readonly cipher: DomainCipher | undefined;
  readonly plain: Uint8Array;
}

function identityOf(
  kind: RecordKind,
  domain: Domain,
  { digest, cipher }: { readonly digest: Digest; readonly cipher: DomainCipher | undefined },
): RecordIdentity {
  return { kind, domain, digest, name: nameOf(digest, cipher) };
}

/** Without a cipher a record is called by its digest. */
function nameOf(digest: Digest, cipher: DomainCipher | undefined): RecordName {
  return cipher ? cipher.nameOf(digest) : (digest as string as RecordName);
}

/** True for what a record that is damaged or not readable is answered with. */
function isDamage(error: unknown): error is Error {
  return error instanceof CorruptionError || isDiskError(error);
}

function isDiskError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && error.code === "EIO";
}

function isSamePlace(a: Location, b: Location): boolean {
  return a.segment === b.segment && a.offset === b.offset && a.length === b.length;
}

function keyOf({ domain, name }: Pick<RecordIdentity, "domain" | "name">): string {
  return domain + name;
}
