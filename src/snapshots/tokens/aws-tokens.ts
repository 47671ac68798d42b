import { createHash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import {
  AWS_EXPIRY_MINUTES_MAX,
  AWS_EXPIRY_MINUTES_MIN,
  PAGE_TOKEN_LIFETIME_SECONDS,
} from "../../model/limits.ts";
import { newestSecret, type SecretRing } from "../../model/store-secret.ts";
import { AWS_SALT_BYTES, isAwsTokenKind, mintAwsTokens } from "./_aws-token.ts";
import { type TokenScope, Tokens } from "./tokens.ts";

const MS_PER_MINUTE = 60_000;

/**
 * Mints tokens as AWS does, for one response: they look like AWS's and share 16 bytes, and block
 * tokens end at an instant that stays fixed for a snapshot while it is near enough. Opens what
 * `Tokens` opens.
 */
export class AwsTokens extends Tokens {
  readonly #secrets: SecretRing;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #salt: Uint8Array;

  constructor(secrets: SecretRing, clock: Clock, random: Random) {
    super(secrets, clock, random);
    this.#secrets = secrets;
    this.#clock = clock;
    this.#random = random;
    this.#salt = random.bytes(AWS_SALT_BYTES);
  }

  override forResponse(): AwsTokens {
    return new AwsTokens(this.#secrets, this.#clock, this.#random);
  }

  override mint(scope: TokenScope, blockIndexes: readonly number[]): string[] {
    const { kind, snapshotIds } = scope;
    if (!isAwsTokenKind(kind)) return super.mint(scope, blockIndexes);
    const expiresAtMs =
      kind === "block"
        ? this.blockTokenExpiryMs(snapshotIds)
        : this.#clock.nowMs() + PAGE_TOKEN_LIFETIME_SECONDS * 1_000;
    // Rounded up: no token ends before the time that a listing promises for it.
    const page = { blockIndexes, salt: this.#salt, expiresAtS: Math.ceil(expiresAtMs / 1_000) };
    return mintAwsTokens(newestSecret(this.#secrets).value, { kind, snapshotIds }, page);
  }

  /**
   * Now and the whole minutes that are left until the first of the snapshots' instants, as AWS
   * counts; so never later than any of their block tokens end.
   */
  override blockTokenExpiryMs(snapshotIds: readonly string[]): number {
    const nowMs = this.#clock.nowMs();
    const minutesLeft = snapshotIds.map((id) => {
      return Math.floor((expiryInstantMs(id, nowMs) - nowMs) / MS_PER_MINUTE);
    });
    return nowMs + Math.min(...minutesLeft) * MS_PER_MINUTE;
  }
}

/** The first of a snapshot's instants, evenly apart, that is far enough ahead. */
function expiryInstantMs(snapshotId: string, nowMs: number): number {
  const periodMs = (AWS_EXPIRY_MINUTES_MAX - AWS_EXPIRY_MINUTES_MIN) * MS_PER_MINUTE;
  const digest = createHash("sha256").update(snapshotId).digest();
  const phaseMs = digest.readUInt32BE() % periodMs;
  const earliestMs = nowMs + AWS_EXPIRY_MINUTES_MIN * MS_PER_MINUTE;
  return Math.ceil((earliestMs - phaseMs) / periodMs) * periodMs + phaseMs;
}
