import type { Clock } from "../base/clock.ts";
import { KeyedLock } from "../base/concurrency.ts";
import type { Random } from "../base/random.ts";
import type { EncryptionTable } from "../catalog/catalog.ts";
import type { EncryptionKey, WrappedSecret } from "../model/encryption-key.ts";
import { CorruptionError, KeyDestroyedError } from "../model/errors.ts";
import { type AccountId, domainOfKey, type KeyDomain, newEncryptionKeyId } from "../model/ids.ts";
import { DOMAIN_SECRET_BYTES } from "../model/limits.ts";
import type { KeyEncryptionKey } from "./key-encryption-key.ts";

/** What the key ring works with. */
export interface KeyRingParts {
  readonly table: EncryptionTable;
  readonly keyEncryptionKey: KeyEncryptionKey;
  readonly random: Random;
  readonly clock: Clock;
  /**
   * Milliseconds for which unwrapped secrets are used before the catalog is asked again, where
   * other processes may rotate or destroy a key; undefined where there are none.
   */
  readonly recheckMs?: number | undefined;
}

/** What is remembered of a key: its secrets, as they were wrapped, and when that was looked up. */
interface Unwrapped {
  readonly secrets: readonly Uint8Array[];
  readonly wrapped: string;
  readonly sinceMs: number;
}

/** What distinguishes a new key. */
type KeyFacts = Pick<EncryptionKey, "description" | "manager">;

/**
 * The encryption keys and their secrets. Secrets are made here, lie in the catalog wrapped by the
 * key-encryption key, and are unwrapped into memory when they are first needed.
 */
export class KeyRing {
  readonly #parts: KeyRingParts;
  readonly #secrets = new Map<KeyDomain, Unwrapped>();
  readonly #unwrapping = new KeyedLock();

  constructor(parts: KeyRingParts) {
    this.#parts = parts;
  }

  /**
   * The secrets of a domain's key, oldest first; the same array until the key is rotated. Rejects
   * when the key was destroyed or the key-encryption key cannot open them. `isFresh` has the
   * catalog asked, for whoever has met a secret that is not among them.
   */
  async secretsOf(domain: KeyDomain, isFresh = false): Promise<readonly Uint8Array[]> {
    const known = isFresh ? undefined : this.#known(domain);
    if (known) return known;
    return this.#unwrapping.run(domain, async () => {
      const meanwhile = isFresh ? undefined : this.#known(domain);
      return meanwhile ?? this.#lookUp(domain);
    });
  }

  #known(domain: KeyDomain): readonly Uint8Array[] | undefined {
    const { clock, recheckMs } = this.#parts;
    const known = this.#secrets.get(domain);
    const isOld =
      known && recheckMs !== undefined && clock.monotonicMs() - known.sinceMs > recheckMs;
    return isOld ? undefined : known?.secrets;
  }

  async #lookUp(domain: KeyDomain): Promise<readonly Uint8Array[]> {
    const sinceMs = this.#parts.clock.monotonicMs();
    const key = await this.#parts.table.ofDomain(domain);
    if (!key || key.state === "destroyed") {
      this.#secrets.delete(domain);
      throw new KeyDestroyedError(domain);
    }
    const wrapped = JSON.stringify(key.secrets);
    const known = this.#secrets.get(domain);
    const secrets =
      known?.wrapped === wrapped
        ? known.secrets
        : await Promise.all(key.secrets.map((secret) => this.#unwrap(key, secret)));
    this.#secrets.set(domain, { secrets, wrapped, sinceMs });
    return secrets;
  }

  /** Makes a key with a secret nobody else has. */
  async create(account: AccountId, description: string): Promise<EncryptionKey> {
    const facts: KeyFacts = { description, manager: "customer" };
    // Once, its domain may have been taken, which chance alone can do.
    const key = (await this.#add(account, facts)) ?? (await this.#add(account, facts));
    if (key) return key;
    throw new CorruptionError(
      "The catalog is damaged: it refuses every new key as one that it already has",
    );
  }

  /** The key that stands for an account which names none; made when it is first needed. */
  async madeFor(account: AccountId): Promise<EncryptionKey> {
    const description = "Encrypts snapshots of this account when no other key is named";
    const known = () => this.#parts.table.madeFor(account);
    return this.#knownOrMade(known, account, { description, manager: "service" });
  }

  /** The domain of the store's journal, whose key is made when it is first needed. */
  async storeDomain(owner: AccountId): Promise<KeyDomain> {
    const description = "Encrypts the journal of this store";
    const known = () => this.#parts.table.ofStore();
    const key = await this.#knownOrMade(known, owner, { description, manager: "store" });
    return key.domain;
  }

  /** A key of which there is one: the one there is, or a new one. */
  async #knownOrMade(
    known: () => Promise<EncryptionKey | undefined>,
    account: AccountId,
    facts: KeyFacts,
  ): Promise<EncryptionKey> {
    const key = (await known()) ?? (await this.#add(account, facts)) ?? (await known());
    if (key) return key;
    // Somebody else was first, and yet there is none: the table and its indexes disagree.
    const message =
      `The catalog is damaged: it refuses a second ${facts.manager} key for account ${account} ` +
      "and does not find the first";
    throw new CorruptionError(message);
  }

  /** Adds a secret that encrypts what is new from now on; what is stored stays as it is. */
  async rotate(key: EncryptionKey): Promise<boolean> {
    const secrets = [...key.secrets, await this.#newSecret(key.domain)];
    return this.#replace(key, { ...key, secrets });
  }

  /** Destroys the keys whose time has come; what was encrypted under them can never be read. */
  async destroyDue(): Promise<void> {
    const { table, clock } = this.#parts;
    for (const key of await table.due(clock.nowMs())) {
      const destroyed = { state: "destroyed", secrets: [], deletionAtMs: undefined } as const;
      await this.#replace(key, { ...key, ...destroyed });
    }
  }

  /** Not while the secrets are unwrapped, or those of before would be remembered after it. */
  #replace(from: EncryptionKey, to: EncryptionKey): Promise<boolean> {
    return this.#unwrapping.run(from.domain, async () => {
      try {
        return await this.#parts.table.replace(from, to);
      } finally {
        // Also where it fails: it may have been done for all that.
        this.#secrets.delete(from.domain);
      }
    });
  }

  /**
   * Wraps anew whatever another key-encryption key wrapped, with `previous` to open it. Records
   * stay as they are. Throws, naming it, for a secret that neither of the two can open.
   */
  async rewrap(previous: KeyEncryptionKey | undefined): Promise<void> {
    const { table, keyEncryptionKey } = this.#parts;
    for (const key of await table.notWrappedBy(keyEncryptionKey.id)) {
      const secrets: WrappedSecret[] = [];
      for (const secret of key.secrets) secrets.push(await this.#rewrapped(key, secret, previous));
      await this.#replace(key, { ...key, secrets });
    }
  }

  async #rewrapped(
    key: EncryptionKey,
    secret: WrappedSecret,
    previous: KeyEncryptionKey | undefined,
  ): Promise<WrappedSecret> {
    if (secret.wrappedBy === this.#parts.keyEncryptionKey.id) return secret;
    if (secret.wrappedBy !== previous?.id) throw wrongKeyEncryptionKey(key, secret, this.#parts);
    return this.#wrap(key.domain, await previous.unwrap(secret.sealed, contextOf(key.domain)));
  }

  async #add(
    account: AccountId,
    { description, manager }: KeyFacts,
  ): Promise<EncryptionKey | undefined> {
    const { table, random, clock } = this.#parts;
    const id = newEncryptionKeyId(random);
    const domain = domainOfKey(id);
    const key: EncryptionKey = {
      id,
      account,
      domain,
      state: "enabled",
      manager,
      description,
      createdAtMs: clock.nowMs(),
      deletionAtMs: undefined,
      secrets: [await this.#newSecret(domain)],
    };
    return (await table.add(key)) ? key : undefined;
  }

  #newSecret(domain: KeyDomain): Promise<WrappedSecret> {
    return this.#wrap(domain, this.#parts.random.bytes(DOMAIN_SECRET_BYTES));
  }

  async #wrap(domain: KeyDomain, secret: Uint8Array): Promise<WrappedSecret> {
    const { keyEncryptionKey } = this.#parts;
    const sealed = await keyEncryptionKey.wrap(secret, contextOf(domain));
    return { wrappedBy: keyEncryptionKey.id, sealed };
  }

  #unwrap(key: EncryptionKey, secret: WrappedSecret): Promise<Uint8Array> {
    const { keyEncryptionKey } = this.#parts;
    if (secret.wrappedBy !== keyEncryptionKey.id) {
      throw wrongKeyEncryptionKey(key, secret, this.#parts);
    }
    return keyEncryptionKey.unwrap(secret.sealed, contextOf(key.domain));
  }
}

/** Why a snapshot whose key is gone for good cannot be completed; throws every other error. */
export function messageOfDestroyedKey(error: unknown): string {
  if (error instanceof KeyDestroyedError) return "The KMS key of the snapshot has been deleted";
  throw error;
}

/** A wrapped secret opens for its own key only. */
function contextOf(domain: KeyDomain): string {
  return `varve encryption key ${domain}`;
}

function wrongKeyEncryptionKey(
  { id }: EncryptionKey,
  { wrappedBy }: WrappedSecret,
  { keyEncryptionKey }: KeyRingParts,
): Error {
  return new Error(
    `Encryption key ${id} is wrapped by the key-encryption key ${wrappedBy}, not by the one ` +
      `given, ${keyEncryptionKey.id}. Start with that one, or name it as the previous one.`,
  );
}
