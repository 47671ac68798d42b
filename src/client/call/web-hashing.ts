import { toBase64, toHex } from "../../base/bytes.ts";
import { hmacSha256, sha256 } from "../../base/sha256.ts";
import type { SigningCrypto } from "../../wire/signature.ts";
import type { Hashing } from "./hashing.ts";

const signing: SigningCrypto = {
  sha256Hex: (data) => toHex(sha256(bytesOf(data))),
  hmac: (key, text) => hmacSha256(bytesOf(key), bytesOf(text)),
  hmacHex: (key, text) => toHex(hmacSha256(key, bytesOf(text))),
};

/**
 * Hashing in a browser: blocks by WebCrypto, the few hundred bytes of a signature by ourselves,
 * for WebCrypto answers only in promises. A page that did not come over HTTPS or from this machine
 * is given no WebCrypto; there blocks are hashed by ourselves, too, and more slowly.
 */
export const webHashing: Hashing = {
  signing,
  async checksum(bytes) {
    const { subtle } = globalThis.crypto ?? {};
    if (subtle === undefined) return toBase64(sha256(bytes));
    return toBase64(
      new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>)),
    );
  },
};

function bytesOf(data: Uint8Array | string): Uint8Array {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}
