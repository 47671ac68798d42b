import { fromBase64, toHex } from "../base/bytes.ts";

/** A checksum of the API as the digest that names the block in the store. */
export function base64ToHex(checksum: string): string {
  return toHex(fromBase64(checksum) ?? new Uint8Array());
}
