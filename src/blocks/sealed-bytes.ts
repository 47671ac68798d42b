import { createCipheriv, createDecipheriv, createSecretKey } from "node:crypto";
import { CorruptionError } from "../model/errors.ts";

const CIPHER_NAME = "aes-256-gcm";
/** Constant, since a key encrypts one payload only; see `DomainCipher`. */
const NONCE = Buffer.alloc(12);
/** Bytes that encryption adds to a payload. */
export const TAG_BYTES = 16;

/** What a payload is encrypted with. */
export interface Sealing {
  readonly key: Uint8Array;
  /** What is bound to the payload without being part of it. */
  readonly covered: Uint8Array;
}

/** Encrypts a payload; the answer is `TAG_BYTES` longer. */
export function encryptBytes({ key, covered }: Sealing, payload: Uint8Array): Uint8Array {
  // Node's own object: given bytes, it takes ten times as long over finding out what they are.
  const cipher = createCipheriv(CIPHER_NAME, createSecretKey(key), NONCE);
  cipher.setAAD(covered);
  return Buffer.concat([cipher.update(payload), cipher.final(), cipher.getAuthTag()]);
}

/** Decrypts one. Throws a `CorruptionError` for anything that `encryptBytes` did not make. */
export function decryptBytes({ key, covered }: Sealing, payload: Uint8Array): Uint8Array {
  if (payload.length < TAG_BYTES) {
    throw new CorruptionError(`An encrypted payload has ${payload.length} bytes`);
  }
  const end = payload.length - TAG_BYTES;
  const decipher = createDecipheriv(CIPHER_NAME, createSecretKey(key), NONCE);
  decipher.setAAD(covered).setAuthTag(payload.subarray(end));
  try {
    return Buffer.concat([decipher.update(payload.subarray(0, end)), decipher.final()]);
  } catch (cause) {
    throw new CorruptionError("An encrypted payload does not match its tag", { cause });
  }
}
