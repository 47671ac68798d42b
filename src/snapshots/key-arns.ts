import type { EncryptionKey } from "../model/encryption-key.ts";
import { type AccountId, type Domain, type EncryptionKeyId, isKeyDomain } from "../model/ids.ts";
import type { Core } from "./core.ts";

/** AWS's name for the key that the service makes for an account. */
export const DEFAULT_KEY_ALIAS = "alias/aws/ebs";

/** How AWS names an encryption key. */
export function keyArn(
  core: Pick<Core, "region">,
  key: Pick<EncryptionKey, "account" | "id">,
): string {
  return `arn:aws:kms:${core.region}:${key.account}:key/${key.id}`;
}

/** The name of the key that a domain is encrypted under; undefined for an unencrypted one. */
export async function keyArnOf(core: Core, domain: Domain): Promise<string | undefined> {
  if (!isKeyDomain(domain)) return undefined;
  const key = await core.catalog.encryption.ofDomain(domain);
  return key && keyArn(core, key);
}

/** The same for several snapshots' domains, each looked up once. */
export async function keyArnsOf(
  core: Core,
  domains: Iterable<Domain>,
): Promise<ReadonlyMap<Domain, string>> {
  const arns = new Map<Domain, string>();
  for (const domain of new Set(domains)) {
    const arn = await keyArnOf(core, domain);
    if (arn !== undefined) arns.set(domain, arn);
  }
  return arns;
}

/** True when a key has that ARN or id: an id in an ARN of another account names another key. */
export function isNameOf(
  core: Pick<Core, "region">,
  key: Pick<EncryptionKey, "account" | "id">,
  name: string,
): boolean {
  return name === key.id || name === keyArn(core, key);
}

/** True for the alias of the key that the service makes for this account. */
export function isDefaultAlias(
  core: Pick<Core, "region">,
  account: AccountId,
  name: string,
): boolean {
  return name === DEFAULT_KEY_ALIAS || name === defaultAliasArn(core, account);
}

/** How AWS names the alias of the key that the service makes for an account. */
export function defaultAliasArn({ region }: Pick<Core, "region">, account: AccountId): string {
  return `arn:aws:kms:${region}:${account}:${DEFAULT_KEY_ALIAS}`;
}

/** The key id at the end of an ARN of this region, or the text itself where it is none. */
export function keyIdIn(core: Pick<Core, "region">, text: string): EncryptionKeyId {
  const [, region, id] = /^arn:aws:kms:([^:]*):[0-9]{12}:key\/(.+)$/.exec(text) ?? [];
  return (region === core.region ? id : text) as EncryptionKeyId;
}
