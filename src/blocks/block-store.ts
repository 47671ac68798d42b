import { KeyedLock } from "../base/concurrency.ts";
import type { BlockTable, Location, PendingWrite, WriteRefusal } from "../catalog/catalog.ts";
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
import { DomainCipher } from "./domain-cipher.ts";
import type { DomainSecrets } from "./domain-secrets.ts";
import { encodeRecord, openRecord, type RecordIdentity } from "./encode-record.ts";
import { GroupCommit } from "./group-commit.ts";
import { digestOf } from "./hash.ts";
import { RECORD_KIND, type RecordKind } from "./record.ts";

const ZERO_BLOCK = new Uint8Array(BLOCK_SIZE_BYTES);

/** Damaged records remembered; beyond that, reading one again is what finds it (ours). */
const DAMAGED_COUNT_MAX = 100_000;

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
  /** Records found damaged when they were read: not stored, as far as a put is concerned. */
  readonly #damaged = new Set<string>();
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
    return this.#puts.run(key, async () => {
      const cipher = await this.#cipherOf(target.domain);
      const identity = identityOf(RECORD_KIND.block, target.domain, { digest, cipher });
      return this.#putBlock(target, { identity, cipher, plain: bytes });
    });
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
    return this.#load(domain, digest, buffer);
  }

  /** The store as the block map of one domain sees it. */
  nodeStore(domain: Domain): NodeStore {
    return {
      getNode: (digest) => this.#load(domain, digest),
      putNode: (bytes) => this.#putRecord(RECORD_KIND.node, domain, bytes),
    };
  }

  /** Stores a snapshot's manifest; durable when it resolves. Answers its digest. */
  putManifest(domain: Domain, bytes: Uint8Array): Promise<Digest> {
    return this.#putRecord(RECORD_KIND.manifest, domain, bytes);
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
    const secrets = await this.#secrets.secretsOf(domain).catch((error: unknown) => {
      // What was derived from a destroyed key's secrets goes with them.
      this.#ciphers.delete(domain);
      throw error;
    });
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
    if (this.#damaged.has(keyOf(identity))) return false;
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
    const replaces = this.#damaged.has(keyOf(identity));
    const record = { domain, name, entry, replaces };
    const refusal = await this.#commits.commit({ record, write });
    if (replaces) this.#damaged.delete(keyOf(identity));
    return refusal;
  }

  async #load(domain: Domain, digest: Digest, buffer?: Uint8Array): Promise<Uint8Array> {
    const cipher = await this.#cipherOf(domain);
    const name = nameOf(digest, cipher);
    try {
      return await this.#loadVerified({ domain, digest, name }, cipher, buffer);
    } catch (error) {
      if (error instanceof CorruptionError) this.#rememberDamaged(keyOf({ domain, name }));
      throw error;
    }
  }

  /** The next put of these contents stores them anew. */
  #rememberDamaged(key: string): void {
    if (this.#damaged.size < DAMAGED_COUNT_MAX) this.#damaged.add(key);
  }

  async #loadVerified(
    { domain, digest, name }: Omit<RecordIdentity, "kind">,
    cipher: DomainCipher | undefined,
    buffer: Uint8Array | undefined,
  ): Promise<Uint8Array> {
    const location = await this.#catalog.locate(domain, name);
    if (!location) throw new CorruptionError(`No record of ${digest} is known in ${domain}`);
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

function keyOf({ domain, name }: Pick<RecordIdentity, "domain" | "name">): string {
  return domain + name;
}
