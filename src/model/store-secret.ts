/*
 * The secrets under which a store mints tokens. The newest mints; one that a newer one replaced
 * still opens what it minted, for as long as that can last, and nothing after: whoever has got
 * hold of an old secret can make tokens with any expiry, but none that is accepted for longer.
 */

/** One of the store's own secrets. */
export interface StoreSecret {
  /** 0 for the first of its name, then one more each time. */
  readonly number: number;
  readonly value: Uint8Array;
  /** When it was made, in milliseconds since 1970; 0 if nobody noted it. */
  readonly createdAtMs: number;
}

/** The secrets of one name, as they are at the moment: rotation changes what is seen here. */
export interface SecretRing {
  /** Oldest first, at least one. */
  readonly secrets: readonly StoreSecret[];
  /** The one that mints, where that is not the newest: other processes may not know that yet. */
  readonly minting?: StoreSecret | undefined;
}

/** Expiries are rounded up to whole seconds, so what was minted may last this much longer. */
const ROUNDING_MS = 1_000;

/** The secret that mints. */
export function newestSecret({ secrets, minting }: SecretRing): StoreSecret {
  return minting ?? (secrets.at(-1) as StoreSecret);
}

/**
 * The secrets, newest first, that open what is good for so many seconds at most: the newest, and
 * those that were replaced less than that time ago.
 */
export function openingSecrets(
  { secrets }: SecretRing,
  { nowMs, lifetimeSeconds }: { readonly nowMs: number; readonly lifetimeSeconds: number },
): readonly StoreSecret[] {
  if (secrets.length === 1) return secrets;
  const opening = secrets.filter((_, i) => {
    const next = secrets[i + 1];
    return !next || nowMs < next.createdAtMs + lifetimeSeconds * 1_000 + ROUNDING_MS;
  });
  return opening.reverse();
}
