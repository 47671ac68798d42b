import type { AccountId } from "../../model/ids.ts";
import type { Image } from "../../model/image.ts";
import type { Core } from "../core.ts";
import { deleteSnapshot } from "../delete-snapshot.ts";
import { findOwnedImage } from "./images.ts";

/**
 * Removes an image, and with it the hold on its snapshots. Answers what it was, `protected` where
 * it must stay, undefined if this account has none of that id.
 */
export async function deregisterImage(
  core: Core,
  account: AccountId,
  imageId: string,
): Promise<Image | "protected" | undefined> {
  const image = await findOwnedImage(core, account, imageId);
  if (image?.isProtected === true) return "protected";
  return image && (await core.catalog.images.delete(image.id)) ? image : undefined;
}

/** What became of a snapshot of an image that is no more. */
export type AssociatedDeletion = "deleted" | "used-elsewhere" | "not-permitted" | "held";

/** Deletes the snapshots that an image was made of, as far as the caller may and nothing holds. */
export async function deleteAssociated(
  core: Core,
  image: Image,
  mayDelete: (snapshotId: string) => Promise<boolean>,
): Promise<ReadonlyMap<string, AssociatedDeletion>> {
  const deletions = new Map<string, AssociatedDeletion>();
  for (const { snapshotId } of image.devices) {
    if (snapshotId === undefined || deletions.has(snapshotId)) continue;
    const isAllowed = await mayDelete(snapshotId);
    const outcome = isAllowed ? await deletionOf(core, image.account, snapshotId) : "not-permitted";
    deletions.set(snapshotId, outcome);
  }
  return deletions;
}

async function deletionOf(
  core: Core,
  account: AccountId,
  snapshotId: string,
): Promise<AssociatedDeletion> {
  const outcome = await deleteSnapshot(core, account, snapshotId);
  if (outcome === "in-use") return "used-elsewhere";
  return outcome === "deleted" ? "deleted" : "held";
}
