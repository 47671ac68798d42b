import type { EncryptionKey } from "../model/encryption-key.ts";
import { invalid } from "../model/errors.ts";
import { type AccountId, type Domain, isKeyDomain, type KeyDomain } from "../model/ids.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Core } from "./core.ts";
import { isDefaultAlias, isNameOf, keyArn, keyIdIn } from "./key-arns.ts";

/** How a new snapshot is to be encrypted, as far as the request says. */
export interface EncryptionWish {
  readonly encrypted: boolean | undefined;
  readonly kmsKeyArn: string | undefined;
}

/** Throws when the caller may not use the key of a domain; asked before that key is looked at. */
export type CheckKeyUse = (domain: Domain) => Promise<void>;

/**
 * Where a new snapshot is to lie, by the decision table of the API: with a parent as the parent,
 * else under the key asked for, the account's default key, or unencrypted. Refuses combinations
 * that contradict each other and keys that cannot be used.
 */
export async function chooseDomain(
  core: Core,
  account: AccountId,
  from: {
    readonly wish: EncryptionWish;
    readonly parent: Snapshot | undefined;
    readonly checkKeyUse?: CheckKeyUse | undefined;
  },
): Promise<Domain> {
  const { wish, parent, checkKeyUse } = from;
  const { byDefault } = await core.catalog.encryption.defaults(account);
  if (parent) {
    if (!isKeyDomain(parent.domain) && byDefault) {
      const message = "ParentSnapshotId must be encrypted when encryption by default is enabled";
      throw invalid("INVALID_PARAMETER_VALUE", message);
    }
    if (isKeyDomain(parent.domain)) await keyOfDomain(core, parent.domain, checkKeyUse);
    return parent.domain;
  }
  if (byDefault && wish.encrypted === false) {
    const message = "Encrypt cannot be false when encryption by default is enabled";
    throw invalid("INVALID_PARAMETER_VALUE", message);
  }
  if (wish.kmsKeyArn === undefined && !(wish.encrypted ?? byDefault)) return account;
  return (await chooseKey(core, account, { name: wish.kmsKeyArn, checkKeyUse })).domain;
}

/**
 * The key of that ARN, id or alias, if this account owns it and it may be used; without a name the
 * key of an account that names none. Throws otherwise.
 */
export async function chooseKey(
  core: Core,
  account: AccountId,
  choice: {
    readonly name: string | undefined;
    readonly checkKeyUse?: CheckKeyUse | undefined;
  },
): Promise<EncryptionKey> {
  const { catalog, keys } = core;
  const name = choice.name ?? (await catalog.encryption.defaults(account)).keyId;
  if (name === undefined || isDefaultAlias(core, account, name)) {
    const known = await catalog.encryption.madeFor(account);
    const key = known ?? (await keys.madeFor(account));
    if (!known) await journaled(core);
    return usable(core, key, choice.checkKeyUse);
  }
  const key = await catalog.encryption.get(keyIdIn(core, name));
  const isNamed = key?.account === account && isNameOf(core, key, name);
  if (isNamed && key.manager !== "store") {
    return usable(core, key, choice.checkKeyUse);
  }
  throw keyDoesNotExist(name);
}

/**
 * Has the journal hold a key, or a secret of it, that is new, before anything is encrypted with it:
 * from the segments alone nobody could read that otherwise.
 */
export function journaled({ journaler }: Core): Promise<void> {
  return journaler.flush();
}

async function keyOfDomain(
  core: Core,
  domain: KeyDomain,
  checkKeyUse: CheckKeyUse | undefined,
): Promise<void> {
  const key = await core.catalog.encryption.ofDomain(domain);
  if (!key) throw new Error(`No key is known for the domain ${domain}`);
  await usable(core, key, checkKeyUse);
}

/** Whoever may not use a key does not learn how it stands. */
async function usable(
  core: Core,
  key: EncryptionKey,
  checkKeyUse: CheckKeyUse | undefined,
): Promise<EncryptionKey> {
  await checkKeyUse?.(key.domain);
  if (key.state === "enabled") return key;
  const arn = keyArn(core, key);
  if (key.state === "destroyed") throw keyDoesNotExist(arn);
  if (key.state === "disabled") throw dependencyFault("DisabledException", `${arn} is disabled.`);
  throw dependencyFault("KMSInvalidStateException", `${arn} is pending deletion.`);
}

function keyDoesNotExist(name: string) {
  return dependencyFault("NotFoundException", `Key '${name.slice(0, 256)}' does not exist`);
}

function dependencyFault(code: string, message: string) {
  const text = `KMS refused the request: ${code}: ${message}`;
  return invalid("INVALID_DEPENDENCY_REQUEST", text);
}
