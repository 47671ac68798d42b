import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { AccessKey, IdentityTable } from "../catalog/catalog.ts";
import { newAccountId } from "../model/ids.ts";
import { mintAccessKey } from "./mint-access-key.ts";

/** A key pair given from outside, for example by the environment. */
export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The key to tell people about at start. */
export interface FirstKey {
  readonly key: AccessKey;
  /** `minted`: made just now, its secret may be shown this once. */
  readonly origin: "minted" | "stored" | "given";
}

/** What the first account is made with. */
export interface FirstAccountParts {
  readonly identity: IdentityTable;
  readonly random: Random;
  readonly clock: Clock;
}

/**
 * Makes sure there is an account with an access key that has all its rights. A key pair given
 * stands for the first account while this process runs and is not stored, so that taking it away
 * really takes it away; without one, the first start mints a pair and stores it.
 */
export async function ensureFirstAccount(
  { identity, random, clock }: FirstAccountParts,
  given: KeyPair | undefined,
): Promise<FirstKey> {
  const proposed = newAccountId(random);
  const minted = mintAccessKey({ account: proposed, policy: undefined }, { random, clock });
  // Of several processes that start at once, one's proposal becomes what all of them have.
  await identity.begin(proposed, given ? undefined : minted);
  const [account] = await identity.accounts();
  assert(account !== undefined, "there is a first account");
  if (given) return { key: { ...minted, account, ...given }, origin: "given" };
  const keys = await identity.accessKeys(account);
  const known = keys.find(({ active, policy }) => active && policy === undefined);
  assert(known !== undefined, "the first account has a key");
  return { key: known, origin: known.accessKeyId === minted.accessKeyId ? "minted" : "stored" };
}
