import type { Digest } from "../model/digest.ts";
import { CODEC, decodePayload, type EncodedPayload, encodePayload } from "./codec.ts";
import { digestOf } from "./hash.ts";
import { decryptBytes, encryptBytes, type Sealing } from "./sealed-bytes.ts";

/**
 * The work on a block's bytes that takes longest and needs nothing else of the store, so that it
 * may be done on another thread. What is handed in must not change until the answer is there.
 */
export interface BlockWork {
  /** SHA-256 of the bytes. */
  digest(bytes: Uint8Array): Promise<Digest>;
  /**
   * The payload for plain bytes, compressed where that helps (see `encodePayload`). Where it was
   * and is to be encrypted, it comes with what it hashes to.
   */
  encode(plain: Uint8Array, isToBeSealed: boolean): Promise<HashedPayload>;
  /** Encrypts a payload; see `encryptBytes`. */
  encrypt(sealing: Sealing, payload: Uint8Array): Promise<Uint8Array>;
  /**
   * The plain bytes of a payload, decrypted first where it is sealed, and what they hash to.
   * Rejects with a `CorruptionError` where it does not decode to so many bytes.
   */
  decode(payload: EncodedPayload, plainLength: number, sealing?: Sealing): Promise<DecodedPayload>;
}

/** A payload as it is stored, perhaps with what it hashes to. */
export interface HashedPayload extends EncodedPayload {
  readonly digest?: Digest | undefined;
}

/** Plain bytes, and what they hash to. */
export interface DecodedPayload {
  readonly plain: Uint8Array;
  readonly digest: Digest;
}

/** Does it where it is asked for; zstd goes to Node's own threads. */
export const ownWork: BlockWork = {
  digest: async (bytes) => digestOf(bytes),
  async encode(plain, isToBeSealed) {
    const payload = await encodePayload(plain);
    const isHashed = isToBeSealed && payload.codec !== CODEC.raw;
    return isHashed ? { ...payload, digest: digestOf(payload.bytes) } : payload;
  },
  encrypt: async (sealing, payload) => encryptBytes(sealing, payload),
  async decode(payload, plainLength, sealing) {
    const bytes = sealing ? decryptBytes(sealing, payload.bytes) : payload.bytes;
    const plain = await decodePayload({ ...payload, bytes }, plainLength);
    return { plain, digest: digestOf(plain) };
  },
};
