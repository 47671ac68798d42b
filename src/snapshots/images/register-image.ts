import type { ImageRefusal } from "../../catalog/catalog.ts";
import { type AccountId, isKeyDomain, newImageId } from "../../model/ids.ts";
import type { Image, ImageDevice } from "../../model/image.ts";
import { type Core, findOwned } from "../core.ts";

/** Parameters of RegisterImage. */
export type RegisterImageInput = Pick<
  Image,
  "name" | "description" | "rootDeviceName" | "devices" | "settings" | "tags"
>;

/** Why an image was not registered; for a snapshot, which one. */
export type RegistrationRefusal =
  | { readonly reason: "name-taken" }
  | { readonly reason: "unknown-snapshot" | "incomplete-snapshot"; readonly snapshotId: string };

/**
 * Makes a machine image of the caller's own completed snapshots. From then on they cannot be
 * deleted, until the image is deregistered.
 */
export async function registerImage(
  core: Core,
  account: AccountId,
  input: RegisterImageInput,
): Promise<Image | RegistrationRefusal> {
  const devices: ImageDevice[] = [];
  for (const device of input.devices) {
    const found = await withVolumeSize(core, account, device);
    if ("reason" in found) return found;
    devices.push(found);
  }
  const image: Image = {
    ...input,
    id: newImageId(core.random),
    account,
    creationTimeMs: core.clock.nowMs(),
    devices,
    grantees: [],
  };
  const refusal = await core.catalog.images.add(image);
  return refusal === undefined ? image : refusalOf(refusal, devices);
}

/** The device as given; where nothing was said of size and encryption, with its snapshot's. */
async function withVolumeSize(
  core: Core,
  account: AccountId,
  device: ImageDevice,
): Promise<ImageDevice | RegistrationRefusal> {
  const { snapshotId, settings } = device;
  if (snapshotId === undefined) return device;
  const snapshot = await findOwned(core, account, snapshotId);
  if (!snapshot) return { reason: "unknown-snapshot", snapshotId };
  if (snapshot.state !== "completed") return { reason: "incomplete-snapshot", snapshotId };
  const known = {
    volumeSize: String(snapshot.volumeSizeGib),
    encrypted: String(isKeyDomain(snapshot.domain)),
  };
  return { ...device, settings: { ...known, ...settings } };
}

/** A snapshot that was there a moment ago is not any more: the first will do as an example. */
function refusalOf(refusal: ImageRefusal, devices: readonly ImageDevice[]): RegistrationRefusal {
  if (refusal === "name-taken") return { reason: refusal };
  const snapshotId = devices.find((device) => device.snapshotId !== undefined)?.snapshotId ?? "";
  return { reason: refusal, snapshotId };
}
