import { crc32 } from "node:zlib";
import type { Digest } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import type { AccountId } from "../model/ids.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { CODEC, type Codec, type EncodedPayload } from "./codec.ts";

/*
 * The bytes of one record, all integers little-endian. The header describes the payload fully,
 * so that segments alone rebuild a lost catalog.
 *
 *   offset  0       4        5     6      7       8          24       56            60
 *           "VREC"  version  kind  codec  cipher  domain 16  digest   plain length  stored length
 *           64               76             80
 *           reserved, zero   header CRC-32  payload …
 */

/** Version of the record header. */
export const RECORD_FORMAT_VERSION = 1;
/** Bytes before the payload. */
export const RECORD_HEADER_BYTES = 80;
const MAGIC = 0x43455256; // "VREC" as a little-endian number
const CRC_OFFSET = 76;
const DOMAIN_BYTES = 16;
const CIPHER_NONE = 0;

/** What a record holds. The numbers are on disk and never change. */
export const RECORD_KIND = { block: 1, node: 2, manifest: 3 } as const;

/** One of the `RECORD_KIND` numbers. */
export type RecordKind = (typeof RECORD_KIND)[keyof typeof RECORD_KIND];

/** What a record's header says. */
export interface RecordHeader {
  readonly kind: RecordKind;
  readonly codec: Codec;
  /** The account within which equal contents are stored once. */
  readonly domain: AccountId;
  /** Digest of the plain payload. */
  readonly digest: Digest;
  readonly plainLength: number;
  readonly storedLength: number;
}

/** Encodes a header; the payload follows it in the segment. */
export function encodeRecordHeader(header: RecordHeader): Uint8Array {
  const bytes = Buffer.alloc(RECORD_HEADER_BYTES);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt8(RECORD_FORMAT_VERSION, 4);
  bytes.writeUInt8(header.kind, 5);
  bytes.writeUInt8(header.codec, 6);
  bytes.writeUInt8(CIPHER_NONE, 7);
  bytes.write(header.domain, 8, DOMAIN_BYTES, "latin1");
  bytes.write(header.digest, 24, "hex");
  bytes.writeUInt32LE(header.plainLength, 56);
  bytes.writeUInt32LE(header.storedLength, 60);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CRC_OFFSET)), CRC_OFFSET);
  return bytes;
}

/** Decodes a whole record. Throws a `CorruptionError` that says what is wrong with its bytes. */
export function decodeRecord(record: Uint8Array): {
  readonly header: RecordHeader;
  readonly payload: EncodedPayload;
} {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  const header = decodeHeader(bytes);
  const stored = bytes.subarray(RECORD_HEADER_BYTES);
  if (stored.length !== header.storedLength) {
    throw new CorruptionError(
      `A record's payload has ${stored.length} bytes where its header says ${header.storedLength}`,
    );
  }
  return { header, payload: { codec: header.codec, bytes: stored } };
}

function decodeHeader(bytes: Buffer): RecordHeader {
  if (bytes.length < RECORD_HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) {
    throw new CorruptionError("There is no record where one should begin");
  }
  if (bytes.readUInt32LE(CRC_OFFSET) !== crc32(bytes.subarray(0, CRC_OFFSET))) {
    throw new CorruptionError("A record's header does not match its checksum");
  }
  const [version, kind, codec, cipher] = [4, 5, 6, 7].map((offset) => bytes.readUInt8(offset));
  if (version !== RECORD_FORMAT_VERSION || cipher !== CIPHER_NONE) {
    throw new CorruptionError(
      `A record has version ${version} and cipher ${cipher}; this Varve reads version ` +
        `${RECORD_FORMAT_VERSION} and cipher ${CIPHER_NONE}`,
    );
  }
  if (codec !== CODEC.raw && codec !== CODEC.zstd) {
    throw new CorruptionError(`A record has an unknown codec: ${codec}`);
  }
  if (kind !== RECORD_KIND.block && kind !== RECORD_KIND.node && kind !== RECORD_KIND.manifest) {
    throw new CorruptionError(`A record is of an unknown kind: ${kind}`);
  }
  // Room for the plain bytes is made by what is said here: nothing we store is longer than a block.
  const plainLength = bytes.readUInt32LE(56);
  if (plainLength > BLOCK_SIZE_BYTES) {
    throw new CorruptionError(
      `A record says that it holds ${plainLength} bytes; at most ${BLOCK_SIZE_BYTES} are stored`,
    );
  }
  return {
    kind,
    codec,
    domain: bytes.toString("latin1", 8, 8 + DOMAIN_BYTES).replace(/\0+$/, "") as AccountId,
    digest: bytes.toString("hex", 24, 56) as Digest,
    plainLength,
    storedLength: bytes.readUInt32LE(60),
  };
}
