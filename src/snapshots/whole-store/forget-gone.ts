import type { Catalog } from "../../catalog/catalog.ts";
import type { AccountId, SnapshotId } from "../../model/ids.ts";

/** Removes the images among what is gone. */
export function forgetImages(to: Catalog, gone: readonly string[]): Promise<void> {
  return forgetKinds(to, gone, ["image"]);
}

/**
 * Removes from one catalog what another, of which it is to become a copy, has no longer: it was
 * deleted there since an earlier attempt. `gone` are its keys in the journal. Images, which hold
 * their snapshots, have to be gone before.
 */
export async function forgetGone(
  from: Catalog,
  to: Catalog,
  gone: readonly string[],
): Promise<void> {
  await forgetKinds(to, gone, ["snapshot", "access-key", "account-setting", "secret"]);
  for (const state of ["pending", "error"] as const) {
    for (const { id } of await to.snapshots.inState(state)) {
      if (!(await from.snapshots.get(id))) await forgetSnapshot(to, id);
    }
  }
}

async function forgetKinds(
  to: Catalog,
  gone: readonly string[],
  kinds: readonly (keyof typeof FORGET)[],
): Promise<void> {
  for (const kind of kinds) {
    for (const key of gone) {
      const [first, id = "", ...rest] = key.split("/");
      if (first === kind) await FORGET[kind](to, id, rest.join("/"));
    }
  }
}

type Forget = (catalog: Catalog, id: string, name: string) => Promise<unknown>;

const FORGET: Readonly<
  Record<"image" | "snapshot" | "access-key" | "account-setting" | "secret", Forget>
> = {
  image: ({ images }, id) => images.delete(id),
  snapshot: (catalog, id) => forgetSnapshot(catalog, id as SnapshotId),
  "access-key": ({ identity }, id) => identity.changeAccessKey(id, "delete"),
  "account-setting": ({ settings }, id, name) => settings.put(id as AccountId, name, undefined),
  // The first of its name has no number in the journal.
  secret: ({ identity }, name, digits) =>
    identity.changeSecrets({ add: [], forget: [{ name, number: Number(digits) }] }),
};

/** A lock that it was given at the other store ended there, or it could not have been deleted. */
function forgetSnapshot({ snapshots }: Catalog, id: SnapshotId): Promise<unknown> {
  return snapshots.delete(id, { nowMs: Number.MAX_SAFE_INTEGER, binnedUntilMs: undefined });
}
