import type { SigningCrypto } from "../../wire/signature.ts";

/** How a client hashes: by Node, or by what a browser has. */
export interface Hashing {
  readonly signing: SigningCrypto;
  /** SHA-256 as the API's checksum headers carry it: base64. */
  checksum(bytes: Uint8Array): string | Promise<string>;
}
