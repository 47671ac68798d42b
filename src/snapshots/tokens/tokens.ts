import {
  type Cipheriv,
  createCipheriv,
  createHmac,
  createSecretKey,
  timingSafeEqual,
} from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { LruCache } from "../../base/lru-cache.ts";
import type { Random } from "../../base/random.ts";
import {
  BLOCK_TOKEN_LIFETIME_SECONDS,
  BLOCK_TOKEN_LIFETIME_SECONDS_MAX,
  PAGE_TOKEN_LIFETIME_SECONDS,
} from "../../model/limits.ts";
import {
  newestSecret,
  openingSecrets,
  type SecretRing,
  type StoreSecret,
} from "../../model/store-secret.ts";
import { openAwsToken } from "./_aws-token.ts";

/*
 * Tokens are capabilities: whoever holds one was shown that listing. One token is 36 bytes, which
 * base64 turns into 48 characters of the alphabet the API allows, without padding:
 *
 *   offset  0        1     2              4                 8        16                20
 *           version  kind  secret u16 BE  expiry s u32 BE   salt 8   block index u32   tag 16
 *
 * The tag is AES-256 of the block index under a key derived, by one HMAC over everything else
 * the token is bound to (kind, snapshot ids, expiry, salt), from a secret of the store. Which one
 * that is, the last 16 bits of its number say, so that opening takes one attempt. AES of
 * one block is a pseudo-random function, so a tag cannot be guessed; and since only the index
 * differs within a page, one HMAC and one cipher call mint a page of 10,000 tokens.
 *
 * A service that emulates AWS mints tokens in AWS's form, under the same secrets. Either kind of
 * service opens both, so that a token stays good when emulation is switched on or off. There is
 * no room for a number in AWS's form: the secrets are tried, the newest first.
 */

const TOKEN_BYTES = 36;
const TAG_BYTES = 16;
const TAG_OFFSET = TOKEN_BYTES - TAG_BYTES;
const SECRET_OFFSET = 2;
const SECRET_NUMBER_MASK = 0xffff;
const SALT_OFFSET = 8;
const SALT_BYTES = 8;
const INDEX_OFFSET = 16;
const TOKEN_CHARACTERS = (TOKEN_BYTES / 3) * 4;
const WORD_BYTES = 4;
const TAG_WORDS = TAG_BYTES / WORD_BYTES;
const VERSION = 1;
/** Pages whose tokens' key is kept: who reads blocks comes with tokens of few pages (ours). */
const PAGES_COUNT_MAX = 1_000;

/** What a token allows; the numbers are in tokens that callers hold. */
const KIND = { block: 1, listPage: 2, changedPage: 3, digestPage: 4, ec2Page: 5 } as const;

/** What a token is bound to besides its block index. */
export interface TokenScope {
  readonly kind: keyof typeof KIND;
  /** The snapshot, or first and second snapshot of a comparison. */
  readonly snapshotIds: readonly string[];
}

/** Mints and opens block tokens and page tokens. */
export class Tokens {
  readonly #secrets: SecretRing;
  readonly #clock: Clock;
  readonly #random: Random;
  /** What makes the tags of a page's tokens, by all that its key is derived from. */
  readonly #ciphers = new LruCache<Cipheriv>(PAGES_COUNT_MAX, () => 1);

  constructor(secrets: SecretRing, clock: Clock, random: Random) {
    this.#secrets = secrets;
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
    const secret = newestSecret(this.#secrets);
    template.writeUInt16BE(secret.number & SECRET_NUMBER_MASK, SECRET_OFFSET);
    // Rounded up: no token ends before the time that a listing promises for it.
    template.writeUInt32BE(Math.ceil(this.#clock.nowMs() / 1000) + lifetime, 4);
    template.set(this.#random.bytes(SALT_BYTES), SALT_OFFSET);
    const tags = cipherFor(secret, scope.snapshotIds, template).update(plainOf(blockIndexes));
    const tokens = Buffer.alloc(TOKEN_BYTES * blockIndexes.length, template);
    // By words of four bytes, all places being multiples of that: a page is minted on the thread
    // that everybody waits for, and this takes a third of the time that copying slices does.
    const [from, to] = [wordsOf(tags), wordsOf(tokens)];
    for (let i = 0; i < blockIndexes.length; i++) {
      tokens.writeUInt32BE(blockIndexes[i] as number, i * TOKEN_BYTES + INDEX_OFFSET);
      const tag = (i * TOKEN_BYTES + TAG_OFFSET) / WORD_BYTES;
      for (let word = 0; word < TAG_WORDS; word++) {
        to[tag + word] = from[i * TAG_WORDS + word] as number;
      }
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
    const number = bytes.readUInt16BE(SECRET_OFFSET);
    const secret = this.#opening(scope, BLOCK_TOKEN_LIFETIME_SECONDS).find((each) => {
      return (each.number & SECRET_NUMBER_MASK) === number;
    });
    if (!secret) return undefined;
    const blockIndex = bytes.readUInt32BE(INDEX_OFFSET);
    const tag = this.#cipherOf(secret, scope, bytes).update(plainOf([blockIndex]));
    if (!timingSafeEqual(tag, bytes.subarray(TAG_OFFSET))) return undefined;
    return bytes.readUInt32BE(4) * 1000 > this.#clock.nowMs() ? blockIndex : undefined;
  }

  #cipherOf(secret: StoreSecret, { snapshotIds }: TokenScope, token: Buffer): Cipheriv {
    const name = `${secret.number} ${token.toString("latin1", 0, INDEX_OFFSET)} ${snapshotIds}`;
    const known = this.#ciphers.get(name);
    if (known) return known;
    const cipher = cipherFor(secret, snapshotIds, token);
    this.#ciphers.set(name, cipher);
    return cipher;
  }

  #openAwsToken(scope: TokenScope, token: string): number | undefined {
    for (const { value } of this.#opening(scope, BLOCK_TOKEN_LIFETIME_SECONDS_MAX)) {
      const opened = openAwsToken(value, scope, token);
      if (!opened) continue;
      return opened.expiresAtS * 1000 > this.#clock.nowMs() ? opened.blockIndex : undefined;
    }
    return undefined;
  }

  /**
   * The secrets, newest first, under which a good token of that kind may have been minted, if block
   * tokens last so many seconds.
   */
  #opening({ kind }: TokenScope, blockSeconds: number): readonly StoreSecret[] {
    const lifetimeSeconds = kind === "block" ? blockSeconds : PAGE_TOKEN_LIFETIME_SECONDS;
    return openingSecrets(this.#secrets, { nowMs: this.#clock.nowMs(), lifetimeSeconds });
  }
}

/**
 * What encrypts block indexes to tags, for tokens with the same head: all of them that is before
 * the block index. Each block goes through it by itself, so it serves any number of them.
 */
function cipherFor(
  { value }: StoreSecret,
  snapshotIds: readonly string[],
  token: Buffer,
): Cipheriv {
  // Node's own objects: given bytes, it takes ten times as long over finding out what they are.
  const key = createHmac("sha256", createSecretKey(value))
    .update(token.subarray(0, INDEX_OFFSET))
    .update(JSON.stringify(snapshotIds))
    .digest();
  // Whole blocks without padding: nothing is ever left for the end.
  return createCipheriv("aes-256-ecb", createSecretKey(key), null).setAutoPadding(false);
}

/** One block of AES for each block index. */
function plainOf(blockIndexes: readonly number[]): Buffer {
  const plain = Buffer.alloc(TAG_BYTES * blockIndexes.length);
  for (let i = 0; i < blockIndexes.length; i++) {
    plain.writeUInt32BE(blockIndexes[i] as number, i * TAG_BYTES);
  }
  return plain;
}

function wordsOf(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / WORD_BYTES);
}
