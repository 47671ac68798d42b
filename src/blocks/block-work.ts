import type { Digest } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import {
  CODEC,
  decodePayload,
  decodePayloadSync,
  type EncodedPayload,
  encodePayload,
} from "./codec.ts";
import { digestOf } from "./hash.ts";
import { decryptBytes, encryptBytes, type Sealing } from "./sealed-bytes.ts";

/**
 * The work on a block's bytes that takes longest and needs nothing else of the store, so that it
 * may be done on another thread. What is handed in must not change until the answer is there. A
 * `SharedArrayBuffer` with something to encode, encrypt or decode is given away: the answer may lie
 * in its place.
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
  /**
   * The same for many short payloads at once, in order; undefined for one that does not decode. The
   * memory they lie in is given away: whoever hands it in has no further use for it.
   */
  decodeAll(encoded: readonly EncodedWhole[]): Promise<readonly (DecodedPayload | undefined)[]>;
}

/** A payload with all that it takes to decode it. */
export interface EncodedWhole {
  readonly payload: EncodedPayload;
  readonly plainLength: number;
  readonly sealing: Sealing | undefined;
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
  decodeAll: async (encoded) => encoded.map(decodeWhole),
};

/** Decodes one of many; undefined where it does not. The answer lies in memory of its own. */
export function decodeWhole(encoded: EncodedWhole): DecodedPayload | undefined {
  const { payload, plainLength, sealing } = encoded;
  try {
    const bytes = sealing ? decryptBytes(sealing, payload.bytes) : payload.bytes;
    const plain = decodePayloadSync({ ...payload, bytes }, plainLength);
    // What lies among others would keep them all in memory, and could not be handed over alone.
    const own = plain.length === plain.buffer.byteLength ? plain : new Uint8Array(plain);
    return { plain: own, digest: digestOf(own) };
  } catch (error) {
    if (error instanceof CorruptionError) return undefined;
    throw error;
  }
}
