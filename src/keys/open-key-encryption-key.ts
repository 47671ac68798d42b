import type { Random } from "../base/random.ts";
import { AwsKeyEncryptionKey } from "./aws-key-encryption-key.ts";
import type { KeyEncryptionKey } from "./key-encryption-key.ts";
import { LocalKeyEncryptionKey } from "./local-key-encryption-key.ts";

/** Where a key-encryption key comes from: 32 bytes that are known here, or a key in AWS KMS. */
export type KeyEncryptionKeySource =
  | { readonly secret: Uint8Array }
  | { readonly awsKmsKeyArn: string };

/** Makes a key-encryption key usable. Throws a `RangeError` for a secret of another length. */
export function openKeyEncryptionKey(
  source: KeyEncryptionKeySource,
  random: Random,
): KeyEncryptionKey {
  if ("secret" in source) return new LocalKeyEncryptionKey(source.secret, random);
  return new AwsKeyEncryptionKey(source.awsKmsKeyArn);
}
