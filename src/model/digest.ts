import { fromBase64, fromHex, toBase64, toHex } from "../base/bytes.ts";
import { DIGEST_SIZE_BYTES } from "./limits.ts";

/**
 * SHA-256 of a block's, node's or manifest's bytes, as 64 lower-case hexadecimal characters:
 * its name in the store. Text rather than bytes, so that `===` and Map keys mean equality.
 */
export type Digest = string & { readonly __digest: true };

/**
 * Under what name a record lies in its domain: its digest or, where the domain is encrypted, its
 * digest masked with the domain's key, so that the store does not tell what it holds. Of the
 * same form as a digest.
 */
export type RecordName = string & { readonly __recordName: true };

/** Digest of 524,288 zero bytes. Such a block is listed like any other and never stored. */
export const ZERO_BLOCK_DIGEST =
  "07854d2fef297a06ba81685e660c332de36d5d18d546927d30daad6d7fda1541" as Digest;

/** What stands for a block of zeros in every domain, masked in none. */
export const ZERO_BLOCK_NAME = ZERO_BLOCK_DIGEST as string as RecordName;

/** The same digest as the API writes it in a checksum header. */
export const ZERO_BLOCK_CHECKSUM = toBase64(fromHex(ZERO_BLOCK_DIGEST));

/** Names 32 raw bytes. Throws a `RangeError` on any other length. */
export function digestFromBytes(bytes: Uint8Array): Digest {
  if (bytes.length !== DIGEST_SIZE_BYTES) {
    throw new RangeError(`A digest has ${DIGEST_SIZE_BYTES} bytes, not ${bytes.length}`);
  }
  return toHex(bytes) as Digest;
}

/** The 32 raw bytes of a digest or a record name. */
export function digestToBytes(digest: Digest | RecordName): Uint8Array {
  return fromHex(digest);
}

/** A record name of 32 raw bytes. Throws a `RangeError` on any other length. */
export function recordNameFromBytes(bytes: Uint8Array): RecordName {
  return digestFromBytes(bytes) as string as RecordName;
}

/** A digest as the API's checksum headers carry it: base64 of the raw bytes. */
export function checksumOf(digest: Digest): string {
  return toBase64(fromHex(digest));
}

/** The digest a checksum header names; undefined when the text is not base64 of 32 bytes. */
export function digestFromChecksum(checksum: string): Digest | undefined {
  const bytes = fromBase64(checksum);
  return bytes?.length === DIGEST_SIZE_BYTES ? (toHex(bytes) as Digest) : undefined;
}
