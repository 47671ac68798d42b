import { assert } from "../base/assert.ts";
import { toBase64 } from "../base/bytes.ts";
import type { Random } from "../base/random.ts";
import type { AccessKey, IdentityTable } from "../catalog/catalog.ts";
import { newAccessKeyId, newAccountId } from "../model/ids.ts";

/** A key pair given from outside, for example by the environment. */
export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Bytes of chance in a secret access key; 40 characters of base64, as AWS's are. */
const SECRET_BYTES = 30;

/** The key to tell people about at start. */
export interface FirstKey {
  readonly key: AccessKey;
  /** `minted`: made just now, its secret may be shown this once. */
  readonly origin: "minted" | "stored" | "given";
}

/**
 * Makes sure there is an account with an access key. A key pair given stands for the first account
 * while this process runs and is not stored, so that taking it away really takes it away; without
 * one, the first start mints a pair and stores it.
 */
export async function ensureFirstAccount(
  identity: IdentityTable,
  random: Random,
  given: KeyPair | undefined,
): Promise<FirstKey> {
  if ((await identity.accounts()).length === 0) await identity.addAccount(newAccountId(random));
  const [account] = await identity.accounts();
  assert(account !== undefined, "there is a first account");
  if (given) return { key: { ...given, account, active: true }, origin: "given" };
  const [known] = (await identity.accessKeys(account)).filter(({ active }) => active);
  if (known) return { key: known, origin: "stored" };
  const secretAccessKey = toBase64(random.bytes(SECRET_BYTES));
  const key = { accessKeyId: newAccessKeyId(random), secretAccessKey, account, active: true };
  await identity.putAccessKey(key);
  return { key, origin: "minted" };
}
