import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  timingSafeEqual,
} from "node:crypto";

/*
 * Tokens in the form that AWS gave them in 2026: base64url without padding, two fixed bytes, the
 * kind, 16 bytes that all tokens of one response have in common, and the rest opaque:
 *
 *   offset  0      2        3          19
 *           02 53  kind u8  salt 16 B  52 B, or 64 B for a page of ListChangedBlocks
 *
 * The rest is four AES-256 blocks, the last cut short in the shorter form, under a key derived by
 * one HMAC from a secret of the store and all that the response's tokens are bound to. The i-th
 * of them is the encryption of
 *
 *   offset  0                    4               8
 *           block index u32 BE   expiry s u32 BE zeros, then i in the last byte
 *
 * The first is decrypted to learn index and expiry; then all four are made again and compared, so
 * a token that was not minted here would need 36 bytes and more guessed right.
 */

const MAGIC = Buffer.of(0x02, 0x53);
const KIND_OFFSET = 2;
const SALT_OFFSET = 3;
/** Bytes that all tokens of one response share. */
export const AWS_SALT_BYTES = 16;
const REST_OFFSET = SALT_OFFSET + AWS_SALT_BYTES;
const CIPHER_BLOCK_BYTES = 16;
const CIPHER_BLOCKS = 4;
const REST_BYTES_MAX = CIPHER_BLOCKS * CIPHER_BLOCK_BYTES;

/** AWS's kinds, and the bytes of a token of each. Tokens for what AWS does not have are ours. */
const FORMS = {
  block: { kind: 1, bytes: 71 },
  listPage: { kind: 2, bytes: 71 },
  changedPage: { kind: 3, bytes: 83 },
} as const;

/** Kinds of tokens that AWS has, too. */
export type AwsTokenKind = keyof typeof FORMS;

/** What all tokens of a page are bound to. */
export interface AwsTokenScope {
  readonly kind: string;
  readonly snapshotIds: readonly string[];
}

/** True for kinds of tokens that AWS has, too. */
export function isAwsTokenKind(kind: string): kind is AwsTokenKind {
  return Object.hasOwn(FORMS, kind);
}

/** One token for each block index, with one HMAC and one cipher call for all. */
export function mintAwsTokens(
  secret: Uint8Array,
  scope: AwsTokenScope & { readonly kind: AwsTokenKind },
  page: {
    readonly blockIndexes: readonly number[];
    readonly salt: Uint8Array;
    /** Seconds since 1970. */
    readonly expiresAtS: number;
  },
): string[] {
  const { kind, bytes: tokenBytes } = FORMS[scope.kind];
  const head = Buffer.concat([MAGIC, Buffer.of(kind), page.salt]);
  const rests = encipher(keyOf(secret, head, scope.snapshotIds), page);
  // A whole number of base64 groups each, so that the page is encoded once and then cut.
  const roomBytes = Math.ceil(tokenBytes / 3) * 3;
  const roomCharacters = (roomBytes / 3) * 4;
  const characters = Math.ceil((tokenBytes * 4) / 3);
  const room = Buffer.alloc(roomBytes * page.blockIndexes.length);
  for (let i = 0; i < page.blockIndexes.length; i++) {
    const start = i * roomBytes;
    head.copy(room, start);
    const rest = i * REST_BYTES_MAX;
    rests.copy(room, start + REST_OFFSET, rest, rest + tokenBytes - REST_OFFSET);
  }
  const text = room.toString("base64url");
  return page.blockIndexes.map((_, i) => {
    return text.slice(i * roomCharacters, i * roomCharacters + characters);
  });
}

/** What such a token says, if it was minted for exactly this scope; whether in time or not. */
export function openAwsToken(
  secret: Uint8Array,
  scope: AwsTokenScope,
  token: string,
): { readonly blockIndex: number; readonly expiresAtS: number } | undefined {
  if (!isAwsTokenKind(scope.kind)) return undefined;
  const form = FORMS[scope.kind];
  const bytes = Buffer.from(token, "base64url");
  if (bytes.length !== form.bytes || bytes.toString("base64url") !== token) return undefined;
  const isOfForm = bytes.subarray(0, KIND_OFFSET).equals(MAGIC) && bytes[KIND_OFFSET] === form.kind;
  if (!isOfForm) return undefined;
  const rest = bytes.subarray(REST_OFFSET);
  const key = keyOf(secret, bytes.subarray(0, REST_OFFSET), scope.snapshotIds);
  const first = decipher(key, rest.subarray(0, CIPHER_BLOCK_BYTES));
  const said = { blockIndex: first.readUInt32BE(0), expiresAtS: first.readUInt32BE(4) };
  const { blockIndex, expiresAtS } = said;
  const made = encipher(key, { blockIndexes: [blockIndex], expiresAtS });
  return timingSafeEqual(made.subarray(0, rest.length), rest) ? said : undefined;
}

/** Tokens of our own form begin with another byte, so no key is used for both. */
function keyOf(secret: Uint8Array, head: Uint8Array, snapshotIds: readonly string[]): KeyObject {
  // Node's own objects: given bytes, it takes ten times as long over finding out what they are.
  const hmac = createHmac("sha256", createSecretKey(secret)).update(head);
  return createSecretKey(hmac.update(JSON.stringify({ snapshotIds })).digest());
}

function encipher(
  key: KeyObject,
  page: { readonly blockIndexes: readonly number[]; readonly expiresAtS: number },
): Buffer {
  const plain = Buffer.alloc(REST_BYTES_MAX * page.blockIndexes.length);
  for (const [i, blockIndex] of page.blockIndexes.entries()) {
    for (let n = 0; n < CIPHER_BLOCKS; n++) {
      const start = i * REST_BYTES_MAX + n * CIPHER_BLOCK_BYTES;
      plain.writeUInt32BE(blockIndex, start);
      plain.writeUInt32BE(page.expiresAtS, start + 4);
      plain.writeUInt8(n, start + CIPHER_BLOCK_BYTES - 1);
    }
  }
  const cipher = createCipheriv("aes-256-ecb", key, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(plain), cipher.final()]);
}

function decipher(key: KeyObject, block: Uint8Array): Buffer {
  const cipher = createDecipheriv("aes-256-ecb", key, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(block), cipher.final()]);
}
