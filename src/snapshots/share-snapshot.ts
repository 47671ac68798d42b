import type { GranteesChange } from "../catalog/catalog.ts";
import { type AccountId, isKeyDomain } from "../model/ids.ts";
import type { Grantee, Snapshot } from "../model/snapshot.ts";
import { type Core, findOwned } from "./core.ts";

/**
 * Gives other accounts leave to read a snapshot and takes it away; false if it is not owned. An
 * encrypted one is shared with accounts by name only, and not under the key that the service made:
 * "not-shareable".
 */
export async function shareSnapshot(
  core: Core,
  account: AccountId,
  { snapshotId, ...change }: { readonly snapshotId: string } & GranteesChange,
): Promise<boolean | "not-shareable"> {
  const snapshot = await findOwned(core, account, snapshotId);
  if (!snapshot) return false;
  if (change.add.length > 0 && isKeyDomain(snapshot.domain)) {
    const key = await core.catalog.encryption.ofDomain(snapshot.domain);
    if (key?.manager !== "customer" || change.add.includes("all")) return "not-shareable";
  }
  await core.catalog.sharing.changeGrantees(snapshot.id, change);
  return true;
}

/** Who may read a snapshot besides its owner; undefined if this account does not own it. */
export async function snapshotGrantees(
  core: Core,
  account: AccountId,
  snapshotId: string,
): Promise<Grantee[] | undefined> {
  const snapshot = await findOwned(core, account, snapshotId);
  return snapshot && core.catalog.sharing.grantees(snapshot.id);
}

/**
 * True when one of these may read the snapshot: "self" for the caller's own and those shared with
 * the caller by name, an account for those shared with it, "all" for public ones.
 */
export async function isRestorableBy(
  core: Core,
  snapshot: Snapshot,
  users: { readonly account: AccountId; readonly names: readonly string[] },
): Promise<boolean> {
  const names = users.names.map((name) => (name === "self" ? users.account : name));
  if (names.some((name) => name === snapshot.account)) return true;
  const grantees: readonly string[] = await core.catalog.sharing.grantees(snapshot.id);
  return names.some((name) => grantees.includes(name));
}
