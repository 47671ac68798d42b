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
  if ((await identity.accounts()).length === 0) await identity.addAccount(newAccountId(random));
  const [account] = await identity.accounts();
  assert(account !== undefined, "there is a first account");
  const minted = mintAccessKey({ account, policy: undefined }, { random, clock });
  if (given) return { key: { ...minted, ...given }, origin: "given" };
  const keys = await identity.accessKeys(account);
  const known = keys.find(({ active, policy }) => active && policy === undefined);
  if (known) return { key: known, origin: "stored" };
  await identity.putAccessKey(minted);
  return { key: minted, origin: "minted" };
}
