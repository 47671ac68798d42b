import { createCipheriv, createDecipheriv, createHmac } from "node:crypto";
import type { Random } from "../base/random.ts";
import { DOMAIN_SECRET_BYTES } from "../model/limits.ts";
import type { KeyEncryptionKey } from "./key-encryption-key.ts";

const CIPHER_NAME = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * A key-encryption key that this process knows, from a file or the environment: AES-256-GCM with a
 * random nonce. It wraps one secret a key and rotation, far below the 2^32 that such nonces allow.
 */
export class LocalKeyEncryptionKey implements KeyEncryptionKey {
  readonly id: string;
  readonly #secret: Uint8Array;
  readonly #random: Random;

  /** Throws a `RangeError` for a secret that has not `DOMAIN_SECRET_BYTES`. */
  constructor(secret: Uint8Array, random: Random) {
    if (secret.length !== DOMAIN_SECRET_BYTES) {
      const expected = `${DOMAIN_SECRET_BYTES} bytes, 44 characters of base64`;
      throw new RangeError(`A key-encryption key has ${expected}, not ${secret.length} bytes`);
    }
    this.#secret = secret;
    this.#random = random;
    // One way: whoever reads the catalog learns nothing of the secret from its name.
    const mark = createHmac("sha256", secret).update("varve key-encryption key").digest("hex");
    this.id = `local:${mark.slice(0, 16)}`;
  }

  async wrap(secret: Uint8Array, context: string): Promise<string> {
    const nonce = this.#random.bytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER_NAME, this.#secret, nonce).setAAD(Buffer.from(context));
    const sealed = [nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(sealed).toString("base64");
  }

  async unwrap(sealed: string, context: string): Promise<Uint8Array> {
    const bytes = Buffer.from(sealed, "base64");
    const end = bytes.length - TAG_BYTES;
    if (end < NONCE_BYTES) throw new Error(`A wrapped secret has ${bytes.length} bytes`);
    const decipher = createDecipheriv(CIPHER_NAME, this.#secret, bytes.subarray(0, NONCE_BYTES));
    decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(end));
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, end)), decipher.final()]);
  }
}
