import type { GranteesChange } from "../catalog/catalog.ts";
import { type AccountId, isKeyDomain } from "../model/ids.ts";
import type { Grantee, Snapshot } from "../model/snapshot.ts";
import { type Core, findOwned } from "./core.ts";
import { granteesInForce, publicAccessState } from "./public-access.ts";

/**
 * How sharing went: `blocked` where the account lets no snapshot become public, `not-shareable`
 * where the snapshot's encryption forbids it.
 */
export type SharingOutcome = "done" | "unknown" | "blocked" | "not-shareable";

/**
 * Gives other accounts leave to read a snapshot and takes it away. An encrypted one is shared with
 * accounts by name only, and not under the key that the service made.
 */
export async function shareSnapshot(
  core: Core,
  account: AccountId,
  { snapshotId, ...change }: { readonly snapshotId: string } & GranteesChange,
): Promise<SharingOutcome> {
  const snapshot = await findOwned(core, account, snapshotId);
  if (!snapshot) return "unknown";
  const isBlocked = (await publicAccessState(core.catalog, account)) !== "unblocked";
  if (change.add.includes("all") && isBlocked) return "blocked";
  if (change.add.length > 0 && isKeyDomain(snapshot.domain)) {
    const key = await core.catalog.encryption.ofDomain(snapshot.domain);
    if (key?.manager !== "customer" || change.add.includes("all")) return "not-shareable";
  }
  await core.catalog.sharing.changeGrantees(snapshot.id, change);
  return "done";
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
  const grantees: readonly string[] = await granteesInForce(core.catalog, snapshot);
  return names.some((name) => grantees.includes(name));
}
