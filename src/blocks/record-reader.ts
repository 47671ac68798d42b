import { mapAhead } from "../base/concurrency.ts";
import type { BlockTable, Location } from "../catalog/catalog.ts";
import type { StoredRecord } from "../catalog/integrity.ts";
import type { Digest, RecordName } from "../model/digest.ts";
import { CorruptionError, KeyDestroyedError } from "../model/errors.ts";
import { type Domain, isKeyDomain, type KeyDomain } from "../model/ids.ts";
import {
  RangeMissingError,
  type SegmentInfo,
  type SegmentStore,
} from "../segments/segment-store.ts";
import { readTogether } from "./_read-together.ts";
import { readTwice, wasReadTwice } from "./_read-twice.ts";
import { type BlockWork, type EncodedWhole, ownWork } from "./block-work.ts";
import type { DamagedRecords } from "./damaged-records.ts";
import { DomainCipher, UnknownKeyVersionError } from "./domain-cipher.ts";
import type { DomainSecrets } from "./domain-secrets.ts";
import { openRecord, readRecord } from "./encode-record.ts";
import { decodeRecord, type RecordHeader } from "./record.ts";
import { type Scanned, scanSegment } from "./scan-segment.ts";

/**
 * What a stored record is found to be when it is read again. `elsewhere`: it was moved, replaced or
 * removed meanwhile. `locked`: it looks whole, but its domain's secrets cannot be had, so what it
 * holds could not be hashed.
 */
export type RecordState = "whole" | "damaged" | "elsewhere" | "locked";

/**
 * Segments whose headers are read at once: in a bucket each takes a request, and one after another
 * they would take as long as all their answers (ours). A segment is in memory by its headers only.
 */
const SEGMENTS_AHEAD = 16;

/** What a record reader works with. */
export interface RecordReaderParts {
  readonly segments: SegmentStore;
  readonly table: BlockTable;
  readonly secrets: DomainSecrets;
  readonly damaged: DamagedRecords;
  /** Who decodes and hashes; by default whoever asks. */
  readonly work?: BlockWork | undefined;
}

/** A record as it was read, its header, and its contents. */
export interface OpenedRecord {
  readonly record: Uint8Array;
  readonly header: RecordHeader;
  readonly plain: Uint8Array;
}

/** Contents, and where they are to be found. */
interface Sought {
  readonly domain: Domain;
  readonly digest: Digest;
  readonly location: Location;
}

/** Finds, reads, opens and checks records; nothing is answered that is not what its name says. */
export class RecordReader {
  readonly #segments: SegmentStore;
  readonly #table: BlockTable;
  readonly #secrets: DomainSecrets;
  readonly #damaged: DamagedRecords;
  readonly #work: BlockWork;
  /** The cipher of each encrypted domain, and the secrets that it was made from. */
  readonly #ciphers = new Map<
    KeyDomain,
    { readonly secrets: readonly Uint8Array[]; readonly cipher: DomainCipher }
  >();

  constructor({ segments, table, secrets, damaged, work = ownWork }: RecordReaderParts) {
    this.#work = work;
    this.#segments = segments;
    this.#table = table;
    this.#secrets = secrets;
    this.#damaged = damaged;
  }

  /** A record as it lies there, opened and checked. Throws a `CorruptionError` for a bad one. */
  async openAt(location: Location): Promise<OpenedRecord> {
    const record = await this.#read(location);
    const { header } = decodeRecord(record);
    const cipher = await this.cipherOf(header.domain);
    const { plain, digest } = await this.#open(header.domain, record, cipher);
    if (nameOf(digest, cipher) === header.name) return { record, header, plain };
    const { segment, offset } = location;
    throw new CorruptionError(`The record at segment ${segment}, offset ${offset} is damaged`);
  }

  /**
   * A record as it lies there, checked as far as can be: one whose key is gone for good by its
   * header alone. Throws a `CorruptionError` for a bad one.
   */
  async wholeAt(location: Location): Promise<Pick<OpenedRecord, "record" | "header">> {
    try {
      return await this.openAt(location);
    } catch (error) {
      if (!(error instanceof KeyDestroyedError)) throw error;
      const record = await this.#read(location);
      return { record, header: decodeRecord(record).header };
    }
  }

  /** Every record of every segment, in the order in which they were stored; see `scanSegment`. */
  async *scan(): AsyncGenerator<Scanned> {
    const scan = async (info: SegmentInfo) => {
      const found: Scanned[] = [];
      for await (const each of scanSegment(this.#segments, info)) found.push(each);
      return found;
    };
    for await (const found of mapAhead(await this.#segments.list(), SEGMENTS_AHEAD, scan)) {
      yield* found;
    }
  }

  /** Under what names contents of these digests lie in a domain. */
  async namesOf(domain: Domain, digests: readonly Digest[]): Promise<readonly RecordName[]> {
    const cipher = await this.cipherOf(domain);
    return cipher ? cipher.namesOf(digests) : (digests as readonly string[] as RecordName[]);
  }

  /** Reads a manifest and checks it. Throws a `CorruptionError` if it is missing or damaged. */
  async getManifest(domain: Domain, name: RecordName): Promise<Uint8Array> {
    const cipher = await this.cipherOf(domain);
    const [digest] = cipher ? cipher.digestsOf([name]) : [name as string as Digest];
    return this.load(domain, digest as Digest);
  }

  /**
   * Reads a record again, whatever it is of: its header, its payload, and what that hashes to. One
   * that is damaged is remembered, so that the next put of the same contents stores them anew, and
   * one that was so and is whole is damaged no more. Rejects when it cannot be known.
   */
  async verify(record: StoredRecord): Promise<RecordState> {
    const { domain, name } = record;
    const isLocked = () => "locked" as const;
    const cipher = await this.cipherOf(domain).catch(isLocked);
    try {
      await this.#checkRecord(record, cipher);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      const location = await this.#table.locate(domain, name);
      if (!location || !isSamePlace(location, record)) return "elsewhere";
      await this.#damaged.add(record, error.message);
      return "damaged";
    }
    if (cipher === "locked") return "locked";
    if (await this.#damaged.has(record)) await this.#damaged.remove(record);
    return "whole";
  }

  /** True for one that is known to be damaged. */
  isDamaged(record: Pick<StoredRecord, "domain" | "name">): Promise<boolean> {
    return this.#damaged.has(record);
  }

  async #checkRecord(record: StoredRecord, cipher: DomainCipher | "locked" | undefined) {
    const bytes = await this.#read(record);
    const { header } = decodeRecord(bytes);
    if (header.domain !== record.domain || header.name !== record.name) {
      throw new CorruptionError("The record there says that it is another one");
    }
    if (cipher === "locked") return;
    const { digest } = await this.#open(record.domain, bytes, cipher);
    if (nameOf(digest, cipher) !== record.name) {
      throw new CorruptionError("The record does not hash to its name");
    }
  }

  /** The cipher of an encrypted domain, looked up again if `isFresh`; undefined for others. */
  async cipherOf(domain: Domain, isFresh = false): Promise<DomainCipher | undefined> {
    if (!isKeyDomain(domain)) return undefined;
    const secrets = await this.#secrets.secretsOf(domain, isFresh).catch((error: unknown) => {
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

  /**
   * The contents of that digest, checked. Throws a `CorruptionError` for missing or damaged ones.
   * The answer may lie in `buffer`, if one of `BLOCK_BUFFER_BYTES` is given.
   */
  async load(domain: Domain, digest: Digest, buffer?: Uint8Array): Promise<Uint8Array> {
    const cipher = await this.cipherOf(domain);
    const name = nameOf(digest, cipher);
    for (let before: Location | undefined; ; ) {
      const location = await this.#table.locate(domain, name);
      if (!location) throw new CorruptionError(`No record of ${digest} is known in ${domain}`);
      try {
        return await this.#loadVerified({ domain, digest, location }, cipher, buffer);
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error;
        // A third time it is read only where it lies elsewhere by now.
        if (wasReadTwice(error)) before = await this.#table.locate(domain, name);
        // Moved since it was located, and its segment removed: then it is found where it lies now.
        if (before && isSamePlace(before, location)) {
          await this.#damaged.add({ domain, name, ...location }, error.message);
          throw error;
        }
        before = location;
      }
    }
  }

  /**
   * The contents of several digests, checked, in order, read together where they lie close by.
   * Undefined for what could not be had so, for whatever reason: `load` of that one tells.
   */
  async loadAll(
    domain: Domain,
    digests: readonly Digest[],
  ): Promise<readonly (Uint8Array | undefined)[]> {
    const cipher = await this.cipherOf(domain);
    const locations = await this.#table.locateAll(domain, await this.namesOf(domain, digests));
    const records = await readTogether(this.#segments, locations);
    const encoded = records.map((record) => record && readableRecord(record, cipher));
    const whole = encoded.filter((each) => each !== undefined);
    const decoded = (await this.#work.decodeAll(whole)).values();
    return encoded.map((each, i) => {
      const opened = each && decoded.next().value;
      return opened?.digest === digests[i] ? opened?.plain : undefined;
    });
  }

  /** Where contents of that digest lie now; undefined for zeros and for what is not stored. */
  async locate(
    domain: Domain,
    digest: Digest,
  ): Promise<{ readonly name: RecordName; readonly location: Location } | undefined> {
    const name = nameOf(digest, await this.cipherOf(domain));
    const location = await this.#table.locate(domain, name);
    return location && { name, location };
  }

  async #loadVerified(
    { domain, digest, location }: Sought,
    cipher: DomainCipher | undefined,
    buffer: Uint8Array | undefined,
  ): Promise<Uint8Array> {
    const opened = await this.#open(domain, await this.#read(location, buffer), cipher);
    if (opened.digest !== digest) {
      const { segment, offset } = location;
      throw new CorruptionError(
        `The record at segment ${segment}, offset ${offset} does not hash to ${digest}`,
      );
    }
    return opened.plain;
  }

  /** Another process may have rotated the key: then the record's secret is a new one. */
  async #open(domain: Domain, record: Uint8Array, cipher: DomainCipher | undefined) {
    return openRecord(record, cipher, this.#work).catch(async (error: unknown) => {
      if (!(error instanceof UnknownKeyVersionError)) throw error;
      return openRecord(record, await this.cipherOf(domain, true), this.#work);
    });
  }

  /**
   * A segment that is gone or too short, or that the disk cannot read, lost what was acknowledged;
   * other failures may pass.
   */
  async #read(location: Location, buffer?: Uint8Array): Promise<Uint8Array> {
    try {
      return await readTwice(this.#segments, location, buffer);
    } catch (cause) {
      if (!(cause instanceof RangeMissingError)) throw cause;
      throw new CorruptionError(cause.message, { cause });
    }
  }
}

/** What it takes to decode a record; undefined for one that is damaged. */
function readableRecord(
  record: Uint8Array,
  cipher: DomainCipher | undefined,
): EncodedWhole | undefined {
  try {
    const { payload, plainLength, sealing } = readRecord(record, cipher);
    return { payload, plainLength, sealing };
  } catch (error) {
    if (error instanceof CorruptionError) return undefined;
    throw error;
  }
}

/** Without a cipher a record is called by its digest. */
export function nameOf(digest: Digest, cipher: DomainCipher | undefined): RecordName {
  return cipher ? cipher.nameOf(digest) : (digest as string as RecordName);
}

function isSamePlace(a: Location, b: Location): boolean {
  return a.segment === b.segment && a.offset === b.offset && a.length === b.length;
}
