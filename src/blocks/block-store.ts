import type { BlockTable, Location, WriteRefusal } from "../catalog/catalog.ts";
import { type Digest, ZERO_BLOCK_DIGEST } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import type { AccountId, SnapshotId } from "../model/ids.ts";
import { BATCH_SIZE_BYTES_MAX, BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { RangeMissingError, type SegmentStore } from "../segments/segment-store.ts";
import type { NodeStore } from "../tree/node-store.ts";
import { decodePayload, encodePayload } from "./codec.ts";
import { GroupCommit, type NewRecord } from "./group-commit.ts";
import { digestOf } from "./hash.ts";
import { decodeRecord, encodeRecordHeader, RECORD_KIND, type RecordKind } from "./record.ts";

const ZERO_BLOCK = new Uint8Array(BLOCK_SIZE_BYTES);

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
    const write = { ...target, digest };
    if (await this.#isStored(target.domain, digest)) {
      const refusal = await this.#commits.commit({ record: undefined, write });
      // Refused as "not-stored": collected since the look-up. The bytes are here, so store them.
      if (refusal !== "not-stored") return refusal;
    }
    // While we looked it up, the same contents may have begun to arrive: then let them.
    if (this.#arriving.has(target.domain + digest)) return this.putBlock(target, digest, bytes);
    return this.#arrive(target.domain, digest, async () => {
      const header = { kind: RECORD_KIND.block, domain: target.domain, digest };
      return this.#commits.commit({ record: await encodeRecord(header, bytes), write });
    });
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
    return (await this.#catalog.locate(domain, digest)) !== undefined;
  }

  async #arrive<T>(domain: AccountId, digest: Digest, store: () => Promise<T>): Promise<T> {
    const arriving = store();
    this.#arriving.set(domain + digest, arriving);
    try {
      return await arriving;
    } finally {
      if (this.#arriving.get(domain + digest) === arriving) this.#arriving.delete(domain + digest);
    }
  }

  async #putRecord(
    { kind, domain }: { kind: RecordKind; domain: AccountId },
    bytes: Uint8Array,
  ): Promise<Digest> {
    const digest = digestOf(bytes);
    if (await this.#isStored(domain, digest)) return digest;
    if (this.#arriving.has(domain + digest)) return this.#putRecord({ kind, domain }, bytes);
    await this.#arrive(domain, digest, async () => {
      const record = await encodeRecord({ kind, domain, digest }, bytes);
      await this.#commits.commit({ record, write: undefined });
    });
    return digest;
  }

  async #load(domain: AccountId, digest: Digest, buffer?: Uint8Array): Promise<Uint8Array> {
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

async function encodeRecord(
  name: { readonly kind: RecordKind; readonly domain: AccountId; readonly digest: Digest },
  plain: Uint8Array,
): Promise<NewRecord> {
  const { codec, bytes } = await encodePayload(plain);
  const lengths = { plainLength: plain.length, storedLength: bytes.length };
  const header = encodeRecordHeader({ ...name, codec, ...lengths });
  return { domain: name.domain, digest: name.digest, entry: [header, bytes] };
}
