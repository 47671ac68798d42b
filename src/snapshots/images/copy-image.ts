import { type AccountId, newImageId, type SnapshotId } from "../../model/ids.ts";
import type { Image, ImageDevice } from "../../model/image.ts";
import type { Tag } from "../../model/snapshot.ts";
import { copySnapshot } from "../copy-snapshot.ts";
import type { Core } from "../core.ts";
import { checkTags, mergeTags } from "../tags.ts";
import { findVisibleImage } from "./images.ts";

/** Parameters of CopyImage. */
export interface CopyImageInput {
  readonly name: string;
  readonly sourceImageId: string;
  readonly description: string | undefined;
  readonly clientToken: string | undefined;
  /** True to take the source's tags along, where it is the caller's own. */
  readonly withTags: boolean;
  readonly imageTags: readonly Tag[];
  readonly snapshotTags: readonly Tag[];
}

/** Why an image was not copied; `no-storage`: a snapshot of it is not the caller's to read. */
export type CopyImageRefusal = "unknown-image" | "name-taken" | "other-request" | "no-storage";

/**
 * Makes an image of the caller's own, on copies of the snapshots that the source is made of. Only
 * what the caller may read is copied: an image that is shared without its snapshots is not.
 * Repeating a request that bears a client token makes nothing new.
 */
export async function copyImage(
  core: Core,
  account: AccountId,
  input: CopyImageInput,
): Promise<Image | CopyImageRefusal> {
  const source = await findVisibleImage(core, account, input.sourceImageId);
  if (!source) return "unknown-image";
  const namesake = await core.catalog.images.named(account, input.name);
  if (namesake) return repeated(namesake, input);
  const image = copyOf(core, account, { source, input });
  checkTags(image.tags);
  const copies = new Map<string, SnapshotId>();
  let isAdded = false;
  try {
    for (const { snapshotId } of source.devices) {
      if (snapshotId === undefined || copies.has(snapshotId)) continue;
      const description = descriptionOf(core, { image, source, snapshotId });
      const copied = await copySnapshot(core, account, {
        ...{ sourceSnapshotId: snapshotId, description, tags: input.snapshotTags },
        ...{ encrypted: undefined, kmsKeyId: undefined, keepsEncryption: true },
      });
      if (typeof copied !== "object") return "no-storage";
      copies.set(snapshotId, copied.id);
    }
    const whole = { ...image, devices: source.devices.map((each) => onCopy(each, copies)) };
    const refusal = await core.catalog.images.add(whole);
    isAdded = refusal === undefined;
    if (refusal === "unknown-snapshot") return "no-storage";
    return refusal ?? whole;
  } finally {
    if (!isAdded) await discard(core, copies);
  }
}

function repeated(namesake: Image, { clientToken, sourceImageId }: CopyImageInput) {
  const { source } = namesake;
  if (clientToken === undefined || source?.clientToken !== clientToken) return "name-taken";
  return source.imageId === sourceImageId ? namesake : "other-request";
}

function copyOf(
  core: Core,
  account: AccountId,
  { source, input }: { readonly source: Image; readonly input: CopyImageInput },
): Image {
  const isOwn = source.account === account;
  const { name, rootDeviceName, settings } = { ...source, name: input.name };
  return {
    id: newImageId(core.random),
    account,
    name,
    description: input.description ?? source.description,
    creationTimeMs: core.clock.nowMs(),
    rootDeviceName,
    devices: [],
    settings,
    tags: mergeTags(input.withTags && isOwn ? source.tags : [], input.imageTags),
    grantees: [],
    source: { imageId: source.id, clientToken: input.clientToken },
  };
}

/** What AWS writes on the snapshots of a copied image. */
function descriptionOf(
  core: Core,
  parts: { readonly image: Image; readonly source: Image; readonly snapshotId: string },
): string {
  const { image, source, snapshotId } = parts;
  const created = core.clock.nowMs().toLocaleString("en-US");
  const from = `Copied for DestinationAmi ${image.id} from SourceAmi ${source.id}`;
  return `${from} for SourceSnapshot ${snapshotId}. Task created on ${created}.`;
}

function onCopy(device: ImageDevice, copies: ReadonlyMap<string, string>): ImageDevice {
  const { snapshotId } = device;
  return snapshotId === undefined ? device : { ...device, snapshotId: copies.get(snapshotId) };
}

/** Takes back copies that no image will be made of. */
async function discard(core: Core, copies: ReadonlyMap<string, SnapshotId>): Promise<void> {
  const terms = { nowMs: core.clock.nowMs(), binnedUntilMs: undefined };
  for (const id of copies.values()) await core.catalog.snapshots.delete(id, terms);
}
