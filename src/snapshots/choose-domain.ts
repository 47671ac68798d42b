import type { EncryptionKey } from "../model/encryption-key.ts";
import { invalid } from "../model/errors.ts";
import { type AccountId, type Domain, isKeyDomain } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { type Core, checkKeyUsable } from "./core.ts";
import { keyArn, keyIdIn } from "./key-arns.ts";

/** How a new snapshot is to be encrypted, as far as the request says. */
export interface EncryptionWish {
  readonly encrypted: boolean | undefined;
  readonly kmsKeyArn: string | undefined;
}

/**
 * Where a new snapshot is to lie, by the decision table of the API: with a parent as the parent,
 * else under the key asked for, the account's default key, or unencrypted. Refuses combinations
 * that contradict each other and keys that cannot be used.
 */
export async function chooseDomain(
  core: Core,
  account: AccountId,
  { wish, parent }: { readonly wish: EncryptionWish; readonly parent: Snapshot | undefined },
): Promise<Domain> {
  const { byDefault } = await core.catalog.encryption.defaults(account);
  if (parent) {
    if (!isKeyDomain(parent.domain) && byDefault) {
      const message = "ParentSnapshotId must be encrypted when encryption by default is enabled";
      throw invalid("INVALID_PARAMETER_VALUE", message);
    }
    await checkKeyUsable(core, parent);
    return parent.domain;
  }
  if (byDefault && wish.encrypted === false) {
    const message = "Encrypt cannot be false when encryption by default is enabled";
    throw invalid("INVALID_PARAMETER_VALUE", message);
  }
  const isNamed = wish.kmsKeyArn !== undefined;
  if (!isNamed && !(wish.encrypted ?? byDefault)) return account;
  const key = isNamed
    ? await namedKey(core, account, wish.kmsKeyArn)
    : await defaultKey(core, account);
  return key.domain;
}

/** The key of an account that names none. Throws when it cannot be used. */
export async function defaultKey(core: Core, account: AccountId): Promise<EncryptionKey> {
  const { keyId } = await core.catalog.encryption.defaults(account);
  if (keyId === undefined) return usable(core, await core.keys.madeFor(account));
  return namedKey(core, account, keyId);
}

/** The key of that ARN or id, if this account owns it and it may be used; else throws. */
export async function namedKey(
  core: Core,
  account: AccountId,
  name: string,
): Promise<EncryptionKey> {
  const key = await core.catalog.encryption.get(keyIdIn(core, name));
  const isThere = key?.account === account && key.state !== "destroyed";
  if (isThere && key.manager !== "store") return usable(core, key);
  throw dependencyFault("NotFoundException", `Key '${name.slice(0, 256)}' does not exist`);
}

function usable(core: Core, key: EncryptionKey): EncryptionKey {
  if (key.state === "enabled") return key;
  const arn = keyArn(core, key);
  if (key.state === "disabled") throw dependencyFault("DisabledException", `${arn} is disabled.`);
  throw dependencyFault("KMSInvalidStateException", `${arn} is pending deletion.`);
}

function dependencyFault(code: string, message: string) {
  const text = `KMS refused the request: ${code}: ${message}`;
  return invalid("INVALID_DEPENDENCY_REQUEST", text);
}
