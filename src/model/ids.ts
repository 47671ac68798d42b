import { toHex } from "../base/bytes.ts";
import type { Random } from "../base/random.ts";

/** `snap-` and 17 lower-case hexadecimal digits. */
export type SnapshotId = string & { readonly __snapshotId: true };
/** Twelve decimal digits: who a snapshot belongs to. */
export type AccountId = string & { readonly __accountId: true };

/** `ami-` and 17 lower-case hexadecimal digits. */
export type ImageId = string & { readonly __imageId: true };

const ID_HEX_DIGITS = 17;

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
