import type { AccountId } from "../../model/ids.ts";
import type { Image } from "../../model/image.ts";
import {
  IMAGE_DEPRECATION_DAYS_MAX,
  MS_PER_DAY,
  PUBLIC_IMAGE_DEPRECATION_DAYS_MAX,
} from "../../model/limits.ts";
import type { Core } from "../core.ts";
import { changeImage, findOwnedImage } from "./images.ts";

/** Why an image cannot be deprecated then; the bound is in milliseconds since 1970. */
export type DeprecationRefusal =
  | { readonly reason: "unknown-image" }
  | { readonly reason: "past" }
  | { readonly reason: "too-late"; readonly boundMs: number };

/** Takes an image out of the listings of all but its owner from a time on. */
export async function deprecateImage(
  core: Core,
  account: AccountId,
  { imageId, atMs }: { readonly imageId: string; readonly atMs: number },
): Promise<DeprecationRefusal | undefined> {
  const image = await findOwnedImage(core, account, imageId);
  if (!image) return { reason: "unknown-image" };
  const nowMs = core.clock.nowMs();
  if (atMs < nowMs) return { reason: "past" };
  const boundMs = latestDeprecationMs(image, nowMs);
  if (atMs > boundMs) return { reason: "too-late", boundMs };
  const change = (was: Image) => ({ ...was, deprecatedAtMs: atMs });
  const changed = await changeImage(core, account, { imageId, change });
  return changed ? undefined : { reason: "unknown-image" };
}

function latestDeprecationMs({ grantees, creationTimeMs }: Image, nowMs: number): number {
  return grantees.includes("all")
    ? creationTimeMs + PUBLIC_IMAGE_DEPRECATION_DAYS_MAX * MS_PER_DAY
    : nowMs + IMAGE_DEPRECATION_DAYS_MAX * MS_PER_DAY;
}

/** Changes of whether an image is to be used, by the action that makes them. */
export const IMAGE_USES = {
  DisableImageDeprecation: (image) => ({ ...image, deprecatedAtMs: undefined }),
  // Disabled, it is its owner's alone, and stays so when it is enabled again.
  DisableImage: (image) => ({ ...image, isDisabled: true, grantees: [] }),
  EnableImage: (image) => ({ ...image, isDisabled: false }),
  EnableImageDeregistrationProtection: (image) => ({ ...image, isProtected: true }),
  DisableImageDeregistrationProtection: (image) => ({ ...image, isProtected: false }),
} as const satisfies Readonly<Record<string, (image: Image) => Image>>;
