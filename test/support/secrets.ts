import { systemRandom } from "../../src/base/random.ts";
import type { SecretRing, StoreSecret } from "../../src/model/store-secret.ts";

/** Bytes of a secret that mints tokens. */
export const SECRET_BYTES = 32;

/** A ring of one secret, the first: of random bytes, or filled with one. */
export function oneSecret(fill?: number): SecretRing {
  const random = systemRandom.bytes(SECRET_BYTES);
  const value = fill === undefined ? random : new Uint8Array(SECRET_BYTES).fill(fill);
  return { secrets: [{ number: 0, value, createdAtMs: 0 }] };
}

/** A ring that shows other secrets after `rotate`, as that of a service does. */
export function rotatingSecrets(): SecretRing & { rotate(createdAtMs: number): void } {
  const secrets: StoreSecret[] = [...oneSecret().secrets];
  return {
    secrets,
    rotate(createdAtMs) {
      const value = systemRandom.bytes(SECRET_BYTES);
      secrets.push({ number: secrets.length, value, createdAtMs });
    },
  };
}
