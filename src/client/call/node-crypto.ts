import { createHash, createHmac, createSecretKey, hash, type KeyObject } from "node:crypto";
import type { SigningCrypto } from "../../wire/signature.ts";
import type { Hashing } from "./hashing.ts";

/** Node's own objects for signing keys: making one costs as much as the HMAC itself. */
const keyObjects = new WeakMap<Uint8Array, KeyObject>();

function keyObjectOf(key: Uint8Array): KeyObject {
  const known = keyObjects.get(key);
  if (known !== undefined) return known;
  const made = createSecretKey(key);
  keyObjects.set(key, made);
  return made;
}

/** Hashing for signatures, by Node. */
export const nodeCrypto: SigningCrypto = {
  sha256Hex: (data) => hash("sha256", data, "hex"),
  hmac: (key, text) => createHmac("sha256", key).update(text).digest(),
  hmacHex: (key, text) => createHmac("sha256", keyObjectOf(key)).update(text).digest("hex"),
};

/** SHA-256 as the API's checksum headers carry it: base64. */
export function checksumOfBytes(bytes: Uint8Array): string {
  return hash("sha256", bytes, "base64");
}

/** All of a client's hashing, by Node. */
export const nodeHashing: Hashing = { signing: nodeCrypto, checksum: checksumOfBytes };

/** A SHA-256 fed piece by piece. */
export interface RunningChecksum {
  update(bytes: Uint8Array): void;
  /** base64; ends the calculation. */
  finish(): string;
}

/** Begins a SHA-256 over pieces. */
export function runningChecksum(): RunningChecksum {
  const running = createHash("sha256");
  return {
    update: (bytes) => {
      running.update(bytes);
    },
    finish: () => running.digest("base64"),
  };
}
