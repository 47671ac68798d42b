import { type AccountId, parseSnapshotId } from "../model/ids.ts";
import type { Image } from "../model/image.ts";
import type { Snapshot, Tag } from "../model/snapshot.ts";
import { type Core, findOwned } from "./core.ts";
import { findOwnedImage } from "./images/images.ts";

/** What an id names: EC2's word for the type. */
export type ResourceType = "snapshot" | "image";

/** The type of resource that an id is one of, by its form; undefined for ids of other things. */
export function resourceTypeOf(id: string): ResourceType | undefined {
  if (id.startsWith("snap-")) return "snapshot";
  return id.startsWith("ami-") ? "image" : undefined;
}

/** The snapshot or image of that id, if this account owns it. */
export async function findOwnedResource(
  core: Core,
  account: AccountId,
  id: string,
): Promise<Snapshot | Image | undefined> {
  const isImage = resourceTypeOf(id) === "image";
  return isImage ? findOwnedImage(core, account, id) : findOwned(core, account, id);
}

/** The snapshot of that id, if it is in this account's recycle bin. */
export async function findRecycledSnapshot(
  core: Core,
  account: AccountId,
  snapshotId: string,
): Promise<Snapshot | undefined> {
  const id = parseSnapshotId(snapshotId);
  const found = id && (await core.catalog.snapshots.get(id));
  return found?.account === account && found.state === "recycled" ? found : undefined;
}

/**
 * Puts what `change` makes of the tags of a snapshot or an image in their place, as one step: of
 * two changes at once, neither is lost. Nothing is changed when `change` throws.
 */
export async function changeTags(
  core: Core,
  { id }: Snapshot | Image,
  change: (tags: readonly Tag[]) => readonly Tag[],
): Promise<void> {
  if (resourceTypeOf(id) === "image") {
    await core.catalog.images.change(id, (image) => ({ ...image, tags: change(image.tags) }));
  } else {
    await core.catalog.snapshots.changeTags(id as Snapshot["id"], change);
  }
}
