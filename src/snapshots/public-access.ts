import type { Catalog } from "../catalog/catalog.ts";
import type { AccountId } from "../model/ids.ts";
import type { Grantee, Snapshot } from "../model/snapshot.ts";

/**
 * Whether an account's snapshots may be public: as they like; not those that are not yet; or none
 * at all, whatever was granted before.
 */
const PUBLIC_ACCESS_STATES = ["unblocked", "block-new-sharing", "block-all-sharing"] as const;

/** One of the above. */
export type PublicAccessState = (typeof PUBLIC_ACCESS_STATES)[number];

const SETTING = "snapshot-block-public-access";

/** The account's state; `unblocked` until it says otherwise. */
export async function publicAccessState(
  { settings }: Pick<Catalog, "settings">,
  account: AccountId,
) {
  const state = await settings.get(account, SETTING);
  return PUBLIC_ACCESS_STATES.find((each) => each === state) ?? "unblocked";
}

/** Changes the account's state. Grants stay as they are: unblocked, they are in force again. */
export async function setPublicAccessState(
  { settings }: Pick<Catalog, "settings">,
  account: AccountId,
  state: PublicAccessState,
): Promise<void> {
  await settings.put(account, SETTING, state === "unblocked" ? undefined : state);
}

/** Who may read a snapshot besides its owner now: everybody only while its owner lets it be so. */
export async function granteesInForce(catalog: Catalog, snapshot: Snapshot): Promise<Grantee[]> {
  const grantees = await catalog.sharing.grantees(snapshot.id);
  if (!grantees.includes("all")) return grantees;
  const state = await publicAccessState(catalog, snapshot.account);
  return state === "block-all-sharing" ? grantees.filter((each) => each !== "all") : grantees;
}
