import { createCipheriv, createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { BLOCK_TOKEN_LIFETIME_SECONDS, PAGE_TOKEN_LIFETIME_SECONDS } from "../model/limits.ts";
import { openAwsToken } from "./_aws-token.ts";

/*
 * Tokens are capabilities: whoever holds one was shown that listing. One token is 36 bytes, which
 * base64 turns into 48 characters of the alphabet the API allows, without padding:
 *
 *   offset  0        1     2           4                 8        16                20
 *           version  kind  reserved 2  expiry s u32 BE   salt 8   block index u32   tag 16
 *
 * The tag is AES-256 of the block index under a key derived, by one HMAC over everything else
 * the token is bound to (kind, snapshot ids, expiry, salt), from the store's token secret. AES of
 * one block is a pseudo-random function, so a tag cannot be guessed; and since only the index
 * differs within a page, one HMAC and one cipher call mint a page of 10,000 tokens.
 *
 * A service that emulates AWS mints tokens in AWS's form, under the same secret. Either kind of
 * service opens both, so that a token stays good when emulation is switched on or off.
 */

const TOKEN_BYTES = 36;
const TAG_BYTES = 16;
const TAG_OFFSET = TOKEN_BYTES - TAG_BYTES;
const SALT_OFFSET = 8;
const SALT_BYTES = 8;
const INDEX_OFFSET = 16;
const TOKEN_CHARACTERS = (TOKEN_BYTES / 3) * 4;
const VERSION = 1;

/** What a token allows; the numbers are in tokens that callers hold. */
const KIND = { block: 1, listPage: 2, changedPage: 3, digestPage: 4, ec2Page: 5 } as const;

/** What a token is bound to besides its block index. */
export interface TokenScope {
  readonly kind: keyof typeof KIND;
  /** The snapshot, or first and second snapshot of a comparison. */
  readonly snapshotIds: readonly string[];
}

/** Bytes of the store's token secret. */
export const TOKEN_SECRET_BYTES = 32;

/** Mints and opens block tokens and page tokens. */
export class Tokens {
  readonly #secret: Uint8Array;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(secret: Uint8Array, clock: Clock, random: Random) {
    this.#secret = secret;
    this.#clock = clock;
    this.#random = random;
  }

  /** What mints the tokens of one response; here the same for all. */
  forResponse(): Tokens {
    return this;
  }

  /** One token for each block index, all of one scope, expiring together. */
  mint(scope: TokenScope, blockIndexes: readonly number[]): string[] {
    const lifetime =
      scope.kind === "block" ? BLOCK_TOKEN_LIFETIME_SECONDS : PAGE_TOKEN_LIFETIME_SECONDS;
    const template = Buffer.alloc(TOKEN_BYTES);
    template.writeUInt8(VERSION, 0);
    template.writeUInt8(KIND[scope.kind], 1);
    // Rounded up: no token ends before the time that a listing promises for it.
    template.writeUInt32BE(Math.ceil(this.#clock.nowMs() / 1000) + lifetime, 4);
    template.set(this.#random.bytes(SALT_BYTES), SALT_OFFSET);
    const tags = this.#tags(scope, template, blockIndexes);
    const tokens = Buffer.alloc(TOKEN_BYTES * blockIndexes.length);
    for (const [i, blockIndex] of blockIndexes.entries()) {
      const start = i * TOKEN_BYTES;
      template.copy(tokens, start);
      tokens.writeUInt32BE(blockIndex, start + INDEX_OFFSET);
      tags.copy(tokens, start + TAG_OFFSET, i * TAG_BYTES, (i + 1) * TAG_BYTES);
    }
    // 36 bytes are a whole number of base64 groups, so the page is encoded once and then cut.
    const text = tokens.toString("base64");
    return blockIndexes.map((_, i) => text.slice(i * TOKEN_CHARACTERS, (i + 1) * TOKEN_CHARACTERS));
  }

  /** When block tokens of these snapshots minted now expire, in milliseconds since 1970. */
  blockTokenExpiryMs(_snapshotIds: readonly string[]): number {
    return this.#clock.nowMs() + BLOCK_TOKEN_LIFETIME_SECONDS * 1000;
  }

  /**
   * The block index in a token, if we minted it for exactly this scope and it has not expired;
   * undefined otherwise, without saying which.
   */
  open(scope: TokenScope, token: string): number | undefined {
    const bytes = Buffer.from(token, "base64");
    if (bytes.length !== TOKEN_BYTES) return this.#openAwsToken(scope, token);
    if (bytes.toString("base64") !== token) return undefined;
    if (bytes.readUInt8(0) !== VERSION || bytes.readUInt8(1) !== KIND[scope.kind]) return undefined;
    const blockIndex = bytes.readUInt32BE(INDEX_OFFSET);
    const tag = this.#tags(scope, bytes, [blockIndex]);
    if (!timingSafeEqual(tag, bytes.subarray(TAG_OFFSET))) return undefined;
    return bytes.readUInt32BE(4) * 1000 > this.#clock.nowMs() ? blockIndex : undefined;
  }

  #openAwsToken(scope: TokenScope, token: string): number | undefined {
    const opened = openAwsToken(this.#secret, scope, token);
    const isGood = opened !== undefined && opened.expiresAtS * 1000 > this.#clock.nowMs();
    return isGood ? opened.blockIndex : undefined;
  }

  /** The tags of these block indexes, one after another. */
  #tags(scope: TokenScope, token: Buffer, blockIndexes: readonly number[]): Buffer {
    const key = createHmac("sha256", this.#secret)
      .update(token.subarray(0, INDEX_OFFSET))
      .update(JSON.stringify(scope.snapshotIds))
      .digest();
    const plain = Buffer.alloc(TAG_BYTES * blockIndexes.length);
    for (const [i, blockIndex] of blockIndexes.entries()) {
      plain.writeUInt32BE(blockIndex, i * TAG_BYTES);
    }
    const cipher = createCipheriv("aes-256-ecb", key, null).setAutoPadding(false);
    return Buffer.concat([cipher.update(plain), cipher.final()]);
  }
}
