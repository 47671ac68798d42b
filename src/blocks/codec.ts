import { promisify } from "node:util";
import { constants, zstdCompress, zstdDecompress } from "node:zlib";
import { CorruptionError } from "../model/errors.ts";

/** How a record's payload is stored. The numbers are on disk and never change. */
export const CODEC = { raw: 0, zstd: 1 } as const;

/** One of the `CODEC` numbers. */
export type Codec = (typeof CODEC)[keyof typeof CODEC];

/** A payload as it is stored. */
export interface EncodedPayload {
  readonly codec: Codec;
  readonly bytes: Uint8Array;
}

/** Level 1: later levels cost several times the time for a few per cent of the bytes. */
const ZSTD_LEVEL = 1;
/** A payload that does not shrink to this share stays raw, so that reading it costs nothing. */
const WORTHWHILE_SHARE = 0.95;

/** More bytes than zstd adds to any payload of ours, so that one output buffer is enough. */
const ZSTD_OVERHEAD_BYTES_MAX = 4_096;
/** node:zlib refuses a smaller output buffer. */
const ZLIB_OUTPUT_BYTES_MIN = 64;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/**
 * Encodes a payload, compressed where that helps. Works off the main thread. The answer may be
 * the very bytes given, not a copy.
 */
export async function encodePayload(plain: Uint8Array): Promise<EncodedPayload> {
  const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL };
  // Room for all of the output at once: node:zlib's default of 16 KiB doubles the time it takes.
  const chunkSize = plain.length + ZSTD_OVERHEAD_BYTES_MAX;
  const packed = await compress(plain, { params, chunkSize });
  if (packed.length > plain.length * WORTHWHILE_SHARE) return { codec: CODEC.raw, bytes: plain };
  return { codec: CODEC.zstd, bytes: packed };
}

/**
 * Decodes a payload to exactly `plainLength` bytes. Throws a `CorruptionError` when it decodes to
 * anything else; never allocates more than `plainLength` allows.
 */
export async function decodePayload(
  payload: EncodedPayload,
  plainLength: number,
): Promise<Uint8Array> {
  const plain = payload.codec === CODEC.raw ? payload.bytes : await unpack(payload, plainLength);
  if (plain.length !== plainLength) {
    throw new CorruptionError(`A payload has ${plain.length} bytes, not ${plainLength}`);
  }
  return plain;
}

async function unpack(payload: EncodedPayload, plainLength: number): Promise<Uint8Array> {
  try {
    const chunkSize = Math.max(plainLength, ZLIB_OUTPUT_BYTES_MIN);
    const room = { maxOutputLength: plainLength, chunkSize };
    return await decompress(payload.bytes, room);
  } catch (cause) {
    throw new CorruptionError("A zstd payload cannot be decompressed", { cause });
  }
}
