import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
} from "node:crypto";
import { assert } from "../base/assert.ts";
import {
  type Digest,
  type RecordName,
  ZERO_BLOCK_DIGEST,
  ZERO_BLOCK_NAME,
} from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import { DIGEST_SIZE_BYTES, DOMAIN_SECRET_BYTES } from "../model/limits.ts";
import type { Codec } from "./codec.ts";
import { type RecordKind, type RecordSeal, SALT_BYTES } from "./record.ts";
import { decryptBytes, encryptBytes } from "./sealed-bytes.ts";

/*
 * How the records of one encryption key's domain are encrypted. From each of the key's secrets,
 * HKDF-SHA-256 derives three keys; the first secret's name key is used for ever, so that equal
 * contents have one name however often the key is rotated.
 *
 *   name  = AES-256 of the digest's two halves under the name key
 *   salt  = HMAC-SHA-256(salt key, payload's SHA-256), its first 11 bytes
 *   key   = HMAC-SHA-256(record key, kind ‖ codec ‖ name ‖ salt)
 *   bytes = AES-256-GCM(key, nonce 0, payload; header up to its checksum) ‖ tag
 *
 * A key encrypts one payload only: name and codec fix the contents and the salt the very bytes,
 * which two versions of a compressor may make differently. So the nonce is constant and nothing
 * depends on chance, not even on a machine that was set back to an earlier state. The header is
 * under the tag: a record that was moved, relabelled or shortened does not open.
 */

const DERIVED_KEY_BYTES = 32;
const HALF_BYTES = DIGEST_SIZE_BYTES / 2;

/** What the key of one record is made from, besides its salt. */
export interface SealedAs {
  readonly kind: RecordKind;
  readonly codec: Codec;
  readonly name: RecordName;
}

/** Node's own objects: given bytes, it takes ten times as long over finding out what they are. */
interface DerivedKeys {
  readonly names: KeyObject;
  readonly salts: KeyObject;
  readonly records: KeyObject;
}

/** A record is encrypted with a secret that is not known here: a new one, or none that ever was. */
export class UnknownKeyVersionError extends CorruptionError {}

/** Names, encrypts and decrypts the records of one domain. */
export class DomainCipher {
  /** Oldest first; a record says which one it was encrypted with, counted from 1. */
  readonly #keys: readonly DerivedKeys[];

  constructor(secrets: readonly Uint8Array[]) {
    assert(secrets.length > 0, "a domain has at least one secret");
    this.#keys = secrets.map(deriveKeys);
  }

  /** Under what name contents of that digest lie. Zeros, which are not stored, keep theirs. */
  nameOf(digest: Digest): RecordName {
    return this.namesOf([digest])[0] as RecordName;
  }

  /** The same for several, in order. */
  namesOf(digests: readonly Digest[]): RecordName[] {
    const cipher = createCipheriv("aes-256-ecb", this.#nameKey, null).setAutoPadding(false);
    const plain = Buffer.from(digests.join(""), "hex");
    const masked = Buffer.concat([cipher.update(plain), cipher.final()]).toString("hex");
    return digests.map((digest, i) => {
      if (digest === ZERO_BLOCK_DIGEST) return ZERO_BLOCK_NAME;
      const start = i * DIGEST_SIZE_BYTES * 2;
      return masked.slice(start, start + DIGEST_SIZE_BYTES * 2) as RecordName;
    });
  }

  /** The digests that those names stand for, in order. */
  digestsOf(names: readonly RecordName[]): Digest[] {
    const cipher = createDecipheriv("aes-256-ecb", this.#nameKey, null).setAutoPadding(false);
    const masked = Buffer.from(names.join(""), "hex");
    const plain = Buffer.concat([cipher.update(masked), cipher.final()]).toString("hex");
    return names.map((name, i) => {
      if (name === ZERO_BLOCK_NAME) return ZERO_BLOCK_DIGEST;
      const start = i * DIGEST_SIZE_BYTES * 2;
      return plain.slice(start, start + DIGEST_SIZE_BYTES * 2) as Digest;
    });
  }

  /** How a payload of that SHA-256 is to be sealed from now on. */
  sealFor(payloadDigest: Digest): RecordSeal {
    const { salts } = this.#keys.at(-1) as DerivedKeys;
    const salt = createHmac("sha256", salts).update(payloadDigest, "hex").digest();
    return { keyVersion: this.#keys.length, salt: salt.subarray(0, SALT_BYTES) };
  }

  /** Encrypts a payload; the answer is `TAG_BYTES` longer. `covered` is bound to it. */
  encrypt(
    identity: SealedAs,
    seal: RecordSeal,
    { covered, payload }: { readonly covered: Uint8Array; readonly payload: Uint8Array },
  ): Uint8Array {
    return encryptBytes({ key: this.recordKey(identity, seal), covered }, payload);
  }

  /** Decrypts a payload. Throws a `CorruptionError` for anything that `encrypt` did not make. */
  decrypt(
    identity: SealedAs,
    seal: RecordSeal,
    { covered, payload }: { readonly covered: Uint8Array; readonly payload: Uint8Array },
  ): Uint8Array {
    return decryptBytes({ key: this.recordKey(identity, seal), covered }, payload);
  }

  get #nameKey(): KeyObject {
    return (this.#keys[0] as DerivedKeys).names;
  }

  /** The key that one record alone is encrypted with. */
  recordKey({ kind, codec, name }: SealedAs, { keyVersion, salt }: RecordSeal): Uint8Array {
    const keys = this.#keys[keyVersion - 1];
    if (!keys) {
      const known = `this key has versions 1 to ${this.#keys.length}`;
      throw new UnknownKeyVersionError(
        `A record is encrypted with key version ${keyVersion}; ${known}`,
      );
    }
    return createHmac("sha256", keys.records)
      .update(Uint8Array.of(kind, codec))
      .update(name, "hex")
      .update(salt)
      .digest();
  }
}

function deriveKeys(secret: Uint8Array): DerivedKeys {
  assert(secret.length === DOMAIN_SECRET_BYTES, `a secret has ${DOMAIN_SECRET_BYTES} bytes`);
  assert(HALF_BYTES === 16, "a digest's half is one block of AES");
  const derive = (purpose: string) =>
    createSecretKey(
      new Uint8Array(hkdfSync("sha256", secret, "", `varve 1 ${purpose}`, DERIVED_KEY_BYTES)),
    );
  return { names: derive("names"), salts: derive("salts"), records: derive("records") };
}
