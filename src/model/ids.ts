import { toHex } from "../base/bytes.ts";
import { type Random, randomUuid } from "../base/random.ts";

/** `snap-` and 17 lower-case hexadecimal digits. */
export type SnapshotId = string & { readonly __snapshotId: true };
/** Twelve decimal digits: who a snapshot belongs to. */
export type AccountId = string & { readonly __accountId: true };

/** Names an encryption key within its account and region; a UUID. */
export type EncryptionKeyId = string & { readonly __encryptionKeyId: true };

/** `k` and 15 hexadecimal digits: the domain of what is encrypted under one key. */
export type KeyDomain = string & { readonly __keyDomain: true };

/** Within which equal contents are stored once: an account's, unencrypted, or one key's. */
export type Domain = AccountId | KeyDomain;

/** `ami-` and 17 lower-case hexadecimal digits. */
export type ImageId = string & { readonly __imageId: true };

const ID_HEX_DIGITS = 17;
/** With the letter before them as long as a record's header has room for. */
const KEY_DOMAIN_HEX_DIGITS = 15;

/** Mints a snapshot id. Real ones begin with 0, and so do ours. */
export function newSnapshotId(random: Random): SnapshotId {
  return `snap-0${toHex(random.bytes(8)).slice(0, ID_HEX_DIGITS - 1)}` as SnapshotId;
}

/** Mints an image id, of the same form. */
export function newImageId(random: Random): ImageId {
  return `ami-0${toHex(random.bytes(8)).slice(0, ID_HEX_DIGITS - 1)}` as ImageId;
}

/** The text as a snapshot id when it has the form the API allows, else undefined. */
export function parseSnapshotId(text: string): SnapshotId | undefined {
  return /^snap-[0-9a-f]{1,59}$/.test(text) ? (text as SnapshotId) : undefined;
}

/** The text as an account id when it is twelve digits, else undefined. */
export function parseAccountId(text: string): AccountId | undefined {
  return /^[0-9]{12}$/.test(text) ? (text as AccountId) : undefined;
}

/** Mints the id of an encryption key. */
export function newEncryptionKeyId(random: Random): EncryptionKeyId {
  return randomUuid(random) as EncryptionKeyId;
}

/** The domain of what is encrypted under a key. */
export function domainOfKey(id: EncryptionKeyId): KeyDomain {
  return `k${id.replaceAll("-", "").slice(0, KEY_DOMAIN_HEX_DIGITS)}` as KeyDomain;
}

/** True for the domain of an encryption key; such contents are stored encrypted. */
export function isKeyDomain(domain: Domain): domain is KeyDomain {
  return domain.startsWith("k");
}

/** Mints an account id. The first digit is never 0, so that no tool drops it as a number. */
export function newAccountId(random: Random): AccountId {
  const digits = Array.from(random.bytes(12), (byte, i) => (i === 0 ? 1 + (byte % 9) : byte % 10));
  return digits.join("") as AccountId;
}

/** Mints the public half of an access key: `AKIA` and 16 of the letters AWS uses. */
export function newAccessKeyId(random: Random): string {
  return `AKIA${idLetters(random.bytes(16))}`;
}

/** The same of temporary credentials, whose ids begin with `ASIA`. */
export function newSessionKeyId(random: Random): string {
  return `ASIA${idLetters(random.bytes(16))}`;
}

/** One letter or digit for each byte, of those that AWS's ids are made of. */
export function idLetters(bytes: Uint8Array): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  return Array.from(bytes, (byte) => letters[byte % 32]).join("");
}
