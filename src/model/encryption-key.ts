import type { AccountId, EncryptionKeyId, KeyDomain } from "./ids.ts";

/**
 * Whether an encryption key may be used. `pending-deletion`: not any more, and at its time the
 * secrets are destroyed; until then it can be brought back. `destroyed`: nothing of it is left but
 * its name.
 */
export type EncryptionKeyState = "enabled" | "disabled" | "pending-deletion" | "destroyed";

/**
 * Who made a key: its account, or the service, which makes one for an account that encrypts
 * without naming a key (AWS's `aws/ebs`), and one for the store's own journal, which no caller
 * gets to see.
 */
export type EncryptionKeyManager = "customer" | "service" | "store";

/** A key that blocks are encrypted under. Immutable: a new state is a new value. */
export interface EncryptionKey {
  readonly id: EncryptionKeyId;
  readonly account: AccountId;
  /** Where what is encrypted under it lies; a function of the id. */
  readonly domain: KeyDomain;
  readonly state: EncryptionKeyState;
  readonly manager: EncryptionKeyManager;
  readonly description: string;
  readonly createdAtMs: number;
  /** When its secrets are destroyed; undefined but for `pending-deletion`. */
  readonly deletionAtMs: number | undefined;
  /** Its secrets, oldest first; the last one encrypts what is new. None once it is destroyed. */
  readonly secrets: readonly WrappedSecret[];
}

/** A secret that only a key-encryption key can open. */
export interface WrappedSecret {
  /** Which key-encryption key that is. */
  readonly wrappedBy: string;
  /** Bytes in base64. */
  readonly sealed: string;
}

/** How an account encrypts when a request does not say. */
export interface EncryptionDefaults {
  /** True to encrypt every new snapshot. */
  readonly byDefault: boolean;
  /** Undefined for the key that the service makes. */
  readonly keyId: EncryptionKeyId | undefined;
}
