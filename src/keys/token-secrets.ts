import type { Clock } from "../base/clock.ts";
import { KeyedLock } from "../base/concurrency.ts";
import type { Random } from "../base/random.ts";
import type { IdentityTable, SecretName } from "../catalog/catalog.ts";
import {
  BLOCK_TOKEN_LIFETIME_SECONDS_MAX,
  MS_PER_DAY,
  SESSION_DURATION_SECONDS_MAX,
  TOKEN_SECRETS_COUNT_MAX,
} from "../model/limits.ts";
import { openingSecrets, type SecretRing, type StoreSecret } from "../model/store-secret.ts";

/** Bytes of each secret (SHA-256's HMAC gains nothing from more). */
const SECRET_BYTES = 32;

/** The names that secrets have in the catalog, and how long what they minted can last. */
const NAMES = {
  tokens: { name: "token-secret", lifetimeSeconds: BLOCK_TOKEN_LIFETIME_SECONDS_MAX },
  sessions: { name: "session-secret", lifetimeSeconds: SESSION_DURATION_SECONDS_MAX },
} as const;
type Use = keyof typeof NAMES;
const USES = Object.keys(NAMES) as Use[];

/** What the secrets are made and kept with. */
export interface TokenSecretsParts {
  readonly table: Pick<IdentityTable, "secrets" | "changeSecrets">;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Milliseconds after which a new secret mints, where other processes have to take note of it
   * first (`refresh`); undefined where there are none.
   */
  readonly spreadMs?: number | undefined;
}

/** The secrets of one use, and which of them mints. */
interface Ring {
  secrets: readonly StoreSecret[];
  minting?: StoreSecret | undefined;
}

/** Refuses one secret more, because too many still open tokens. */
export class TooManySecretsError extends Error {
  override readonly name = "TooManySecretsError";
}

/**
 * The secrets under which block tokens, page tokens and session tokens are minted, and their
 * rotation. A new one is in the catalog before anything is minted with it.
 */
export class TokenSecrets {
  /** Of block tokens and page tokens. */
  readonly tokens: SecretRing;
  /** Of session tokens. */
  readonly sessions: SecretRing;
  readonly #parts: TokenSecretsParts;
  readonly #rings: Readonly<Record<Use, Ring>>;
  readonly #changing = new KeyedLock();
  /** What the last look found to open nothing any more; gone if the next one finds so, too. */
  #doomed: ReadonlySet<string> = new Set();

  private constructor(parts: TokenSecretsParts, rings: Record<Use, readonly StoreSecret[]>) {
    this.#parts = parts;
    this.#rings = { tokens: { secrets: rings.tokens }, sessions: { secrets: rings.sessions } };
    this.tokens = this.#rings.tokens;
    this.sessions = this.#rings.sessions;
  }

  /** The secrets of a store; the first ones are made at its first start. */
  static async open(parts: TokenSecretsParts): Promise<TokenSecrets> {
    const { table, clock, random } = parts;
    const known = async (use: Use): Promise<readonly StoreSecret[]> => {
      const { name } = NAMES[use];
      const secrets = await table.secrets(name);
      if (secrets.length > 0) return secrets;
      const first = { number: 0, value: random.bytes(SECRET_BYTES), createdAtMs: clock.nowMs() };
      try {
        await table.changeSecrets({ add: [{ name, ...first }], forget: [] });
        return [first];
      } catch (error) {
        // Another process may have started at the same time, and been first.
        const others = await table.secrets(name);
        if (others.length === 0) throw error;
        return others;
      }
    };
    const rings = { tokens: await known("tokens"), sessions: await known("sessions") };
    const opened = new TokenSecrets(parts, rings);
    for (const use of USES) opened.#fill(opened.#rings[use], rings[use]);
    return opened;
  }

  /**
   * Mints with new secrets from now on, and answers since when, in milliseconds since 1970. What
   * was minted before stays good until it expires; with `revokes`, nothing of it is good any more.
   * Throws a `TooManySecretsError` where more than a few secrets would open tokens.
   */
  rotate({ revokes }: { readonly revokes: boolean }): Promise<number> {
    return this.#changing.run("", () => this.#rotate(revokes));
  }

  async #rotate(revokes: boolean): Promise<number> {
    const { table, clock, random } = this.#parts;
    // What another process has added just now is revoked too, and its numbers are not given again.
    await this.#look();
    const nowMs = clock.nowMs();
    if (!revokes) this.#checkCount(nowMs);
    const added = USES.map((use) => {
      const number = (this.#rings[use].secrets.at(-1)?.number ?? -1) + 1;
      const value = random.bytes(SECRET_BYTES);
      return { use, name: NAMES[use].name, number, value, createdAtMs: nowMs };
    });
    const forget = revokes ? USES.flatMap((use) => this.#named(use)) : [];
    await table.changeSecrets({ add: added, forget });
    for (const { use, number, value, createdAtMs } of added) {
      const ring = this.#rings[use];
      const kept = revokes ? [] : ring.secrets;
      this.#fill(ring, [...kept, { number, value, createdAtMs }]);
    }
    return nowMs;
  }

  #fill(ring: Ring, secrets: readonly StoreSecret[]): void {
    const { clock, spreadMs } = this.#parts;
    ring.secrets = secrets;
    if (spreadMs === undefined) return;
    const bound = clock.nowMs() - spreadMs;
    ring.minting = secrets.findLast(({ createdAtMs }) => createdAtMs <= bound) ?? secrets[0];
  }

  /** Takes note of what other processes have added and forgotten. */
  refresh(): Promise<void> {
    return this.#changing.run("", () => this.#look());
  }

  async #look(): Promise<void> {
    for (const use of USES) {
      const ring = this.#rings[use];
      const found = await this.#parts.table.secrets(NAMES[use].name);
      // The same objects for the same secrets: what was made of one is kept with it.
      const secrets = found.map(
        (each) => ring.secrets.find((known) => isSame(known, each)) ?? each,
      );
      if (secrets.length > 0) this.#fill(ring, secrets);
    }
  }

  #checkCount(nowMs: number): void {
    const most = Math.max(...USES.map((use) => this.#opening(use, nowMs).length));
    if (most < TOKEN_SECRETS_COUNT_MAX) return;
    throw new TooManySecretsError(
      `There are ${most} secrets that open tokens, the most there may be. Wait until the oldest ` +
        "opens nothing any more, about a week after it was replaced, or revoke all tokens (Revoke)",
    );
  }

  /** Rotates when the newest secrets are so many days old, or claim to be of as far ahead. */
  async rotateDue(days: number): Promise<void> {
    const { clock } = this.#parts;
    const isDue = USES.some((use) => {
      const createdAtMs = this.#rings[use].secrets.at(-1)?.createdAtMs ?? 0;
      return Math.abs(clock.nowMs() - createdAtMs) >= days * MS_PER_DAY;
    });
    if (isDue) await this.rotate({ revokes: false });
  }

  /**
   * Forgets the secrets that open nothing any more. A look has to find that twice, or a clock that
   * is wrong for a moment would end tokens for good.
   */
  dropExpired(): Promise<void> {
    return this.#changing.run("", () => this.#dropExpired());
  }

  async #dropExpired(): Promise<void> {
    const { table, clock } = this.#parts;
    const nowMs = clock.nowMs();
    const expired = USES.flatMap((use) => {
      const opening = this.#opening(use, nowMs);
      return this.#named(use).filter(({ secret }) => !opening.includes(secret));
    });
    const forget = expired.filter((each) => this.#doomed.has(idOf(each)));
    this.#doomed = new Set(expired.map(idOf));
    if (forget.length === 0) return;
    await table.changeSecrets({ add: [], forget });
    const gone = new Set(forget.map(({ secret }) => secret));
    for (const use of USES) {
      const ring = this.#rings[use];
      this.#fill(
        ring,
        ring.secrets.filter((secret) => !gone.has(secret)),
      );
    }
  }

  #opening(use: Use, nowMs: number): readonly StoreSecret[] {
    return openingSecrets(this.#rings[use], { nowMs, ...NAMES[use] });
  }

  #named(use: Use): (SecretName & { readonly secret: StoreSecret })[] {
    const { name } = NAMES[use];
    return this.#rings[use].secrets.map((secret) => ({ name, number: secret.number, secret }));
  }
}

function isSame(one: StoreSecret, other: StoreSecret): boolean {
  return one.number === other.number && Buffer.compare(one.value, other.value) === 0;
}

function idOf({ name, number }: SecretName): string {
  return `${name}/${number}`;
}
