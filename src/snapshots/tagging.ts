import type { AccountId } from "../model/ids.ts";
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

/** Replaces all tags of a snapshot or an image. */
export async function setTags(
  core: Core,
  { id }: Snapshot | Image,
  tags: readonly Tag[],
): Promise<void> {
  if (resourceTypeOf(id) === "image") {
    await core.catalog.images.change(id, (image) => ({ ...image, tags }));
  } else {
    await core.catalog.snapshots.setTags(id as Snapshot["id"], tags);
  }
}
