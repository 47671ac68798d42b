import { crc32 } from "node:zlib";
import type { RecordName } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import type { Domain } from "../model/ids.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { CODEC, type Codec, type EncodedPayload } from "./codec.ts";

/*
 * The bytes of one record, all integers little-endian. The header describes the payload fully,
 * so that segments alone rebuild a lost catalog.
 *
 *   offset  0       4        5     6      7       8          24       56            60
 *           "VREC"  version  kind  codec  cipher  domain 16  name 32  plain length  stored length
 *           64               65        76             80
 *           key version u8   salt 11   header CRC-32  payload …
 *
 * Without a cipher, key version and salt are zero. With one, the payload ends with a tag over the
 * header up to its checksum and the payload.
 */

/** Version of the record header. */
export const RECORD_FORMAT_VERSION = 1;
/** Bytes before the payload. */
export const RECORD_HEADER_BYTES = 80;
/** What a record begins with. */
export const RECORD_MAGIC = "VREC";
const MAGIC = 0x43455256; // the same as a little-endian number
const NAME_OFFSET = 24;
const SEAL_OFFSET = 64;
const CRC_OFFSET = 76;
const DOMAIN_BYTES = 16;
const NAME_BYTES = 32;
/** Bytes of a sealed record's salt. */
export const SALT_BYTES = 11;
const CIPHER = { none: 0, aes256Gcm: 1 } as const;

/** What a record holds; `entry` is one of the journal. The numbers are on disk and never change. */
export const RECORD_KIND = { block: 1, node: 2, manifest: 3, entry: 4 } as const;

/** One of the `RECORD_KIND` numbers. */
export type RecordKind = (typeof RECORD_KIND)[keyof typeof RECORD_KIND];

/** What a record's header says. */
export interface RecordHeader {
  readonly kind: RecordKind;
  readonly codec: Codec;
  /** Within which equal contents are stored once. */
  readonly domain: Domain;
  /** Names the plain payload. */
  readonly name: RecordName;
  readonly plainLength: number;
  readonly storedLength: number;
  /** How the payload is encrypted; undefined when it is not. */
  readonly seal: RecordSeal | undefined;
}

/** What opens an encrypted payload, together with its domain's secrets. */
export interface RecordSeal {
  /** Which of the domain's secrets, counted from 1. */
  readonly keyVersion: number;
  readonly salt: Uint8Array;
}

/** The part of a header that a sealed payload's tag covers. */
export function sealedPart(header: Uint8Array): Uint8Array {
  return header.subarray(0, CRC_OFFSET);
}

/** Encodes a header; the payload follows it in the segment. */
export function encodeRecordHeader(header: RecordHeader): Uint8Array {
  const bytes = Buffer.alloc(RECORD_HEADER_BYTES);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt8(RECORD_FORMAT_VERSION, 4);
  bytes.writeUInt8(header.kind, 5);
  bytes.writeUInt8(header.codec, 6);
  bytes.writeUInt8(header.seal ? CIPHER.aes256Gcm : CIPHER.none, 7);
  bytes.write(header.domain, 8, DOMAIN_BYTES, "latin1");
  bytes.write(header.name, NAME_OFFSET, "hex");
  bytes.writeUInt32LE(header.plainLength, 56);
  bytes.writeUInt32LE(header.storedLength, 60);
  if (header.seal) {
    bytes.writeUInt8(header.seal.keyVersion, SEAL_OFFSET);
    bytes.set(header.seal.salt, SEAL_OFFSET + 1);
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CRC_OFFSET)), CRC_OFFSET);
  return bytes;
}

/** Decodes a whole record. Throws a `CorruptionError` that says what is wrong with its bytes. */
export function decodeRecord(record: Uint8Array): {
  readonly header: RecordHeader;
  readonly payload: EncodedPayload;
  /** The header as it lies in the record. */
  readonly headerBytes: Uint8Array;
} {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  const header = decodeHeader(record);
  const stored = bytes.subarray(RECORD_HEADER_BYTES);
  if (stored.length !== header.storedLength) {
    throw new CorruptionError(
      `A record's payload has ${stored.length} bytes where its header says ${header.storedLength}`,
    );
  }
  const headerBytes = bytes.subarray(0, RECORD_HEADER_BYTES);
  return { header, payload: { codec: header.codec, bytes: stored }, headerBytes };
}

/** Decodes the header that a record begins with. Throws a `CorruptionError` if there is none. */
export function decodeHeader(record: Uint8Array): RecordHeader {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  if (bytes.length < RECORD_HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) {
    throw new CorruptionError("There is no record where one should begin");
  }
  if (bytes.readUInt32LE(CRC_OFFSET) !== crc32(bytes.subarray(0, CRC_OFFSET))) {
    throw new CorruptionError("A record's header does not match its checksum");
  }
  const [version, kind, codec, cipher] = [4, 5, 6, 7].map((offset) => bytes.readUInt8(offset));
  if (
    version !== RECORD_FORMAT_VERSION ||
    (cipher !== CIPHER.none && cipher !== CIPHER.aes256Gcm)
  ) {
    throw new CorruptionError(
      `A record has version ${version} and cipher ${cipher}; this Varve reads version ` +
        `${RECORD_FORMAT_VERSION} and ciphers ${Object.values(CIPHER).join(", ")}`,
    );
  }
  if (codec !== CODEC.raw && codec !== CODEC.zstd) {
    throw new CorruptionError(`A record has an unknown codec: ${codec}`);
  }
  if (!isRecordKind(kind)) {
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
    domain: bytes.toString("latin1", 8, 8 + DOMAIN_BYTES).replace(/\0+$/, "") as Domain,
    name: bytes.toString("hex", NAME_OFFSET, NAME_OFFSET + NAME_BYTES) as RecordName,
    plainLength,
    storedLength: bytes.readUInt32LE(60),
    seal: cipher === CIPHER.none ? undefined : sealOf(bytes),
  };
}

function isRecordKind(kind: number | undefined): kind is RecordKind {
  return Object.values(RECORD_KIND).some((known) => known === kind);
}

function sealOf(bytes: Buffer): RecordSeal {
  const salt = bytes.subarray(SEAL_OFFSET + 1, SEAL_OFFSET + 1 + SALT_BYTES);
  return { keyVersion: bytes.readUInt8(SEAL_OFFSET), salt };
}
