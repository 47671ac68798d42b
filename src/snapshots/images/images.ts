import { nextTurn } from "../../base/next-turn.ts";
import type { GranteesChange } from "../../catalog/catalog.ts";
import type { AccountId } from "../../model/ids.ts";
import type { Image } from "../../model/image.ts";
import type { Core } from "../core.ts";
import type { Matcher } from "../filters.ts";

/** Images read from the catalog at once while looking for those that match. */
const SCAN_COUNT = 1_000;

/** The image of that id if this account may see it: its own, shared with it, or public. */
export async function findVisibleImage(
  core: Core,
  account: AccountId,
  imageId: string,
): Promise<Image | undefined> {
  const image = await core.catalog.images.get(imageId);
  return image && isVisible(image, account) ? image : undefined;
}

function isVisible(image: Image, account: AccountId): boolean {
  if (image.account === account) return true;
  const isShared = image.grantees.includes(account) || image.grantees.includes("all");
  return isShared && image.isDisabled !== true;
}

/** What listings leave out unless asked for it; images named one by one are always told of. */
export interface Unlisted {
  readonly withDeprecated: boolean;
  readonly withDisabled: boolean;
}

/** True for images that a listing for this account shows: its own also when deprecated. */
export function isListed(
  core: Core,
  account: AccountId,
  { withDeprecated, withDisabled }: Unlisted,
): (image: Image) => boolean {
  const nowMs = core.clock.nowMs();
  return (image) => {
    if (image.isDisabled === true && !withDisabled) return false;
    const isDeprecated = image.deprecatedAtMs !== undefined && image.deprecatedAtMs <= nowMs;
    return withDeprecated || !isDeprecated || image.account === account;
  };
}

/** The matching images that this account may see, in order of id, and whether there are more. */
export async function describeImages(
  core: Core,
  account: AccountId,
  input: {
    readonly matches: Matcher<Image>;
    readonly afterId: string;
    readonly limit: number;
  },
): Promise<{ readonly images: readonly Image[]; readonly hasMore: boolean }> {
  const images: Image[] = [];
  for (let afterId = input.afterId; ; ) {
    const page = await core.catalog.images.page(afterId, SCAN_COUNT);
    for (const image of page) {
      if (!isVisible(image, account) || !(await input.matches(image))) continue;
      if (images.length === input.limit) return { images, hasMore: true };
      images.push(image);
    }
    const last = page.at(-1);
    if (!last || page.length < SCAN_COUNT) return { images, hasMore: false };
    afterId = last.id;
    await nextTurn();
  }
}

/** What may be changed of an image after it was registered. */
export interface ImageChange {
  /** Undefined leaves it as it is. */
  readonly description: string | undefined;
  /** Laid over those that are there. */
  readonly settings: Readonly<Record<string, string>>;
  readonly grantees: GranteesChange;
}

/** Changes what an image says of itself and who may see it. */
export function modifyImage(
  core: Core,
  account: AccountId,
  { imageId, change }: { readonly imageId: string; readonly change: ImageChange },
): Promise<Image | undefined> {
  const { add, remove } = change.grantees;
  return changeImage(core, account, {
    imageId,
    change: (image) => ({
      ...image,
      description: change.description ?? image.description,
      settings: { ...image.settings, ...change.settings },
      grantees: [...new Set([...image.grantees, ...add])]
        .filter((grantee) => !remove.includes(grantee))
        .sort(),
    }),
  });
}

/** Changes an image as one step; answers what it is then, undefined if this account has none. */
export async function changeImage(
  core: Core,
  account: AccountId,
  { imageId, change }: { readonly imageId: string; readonly change: (image: Image) => Image },
): Promise<Image | undefined> {
  const image = await findOwnedImage(core, account, imageId);
  return image && core.catalog.images.change(image.id, change);
}

/** The image of that id if this account owns it. */
export async function findOwnedImage(
  core: Core,
  account: AccountId,
  imageId: string,
): Promise<Image | undefined> {
  const image = await core.catalog.images.get(imageId);
  return image?.account === account ? image : undefined;
}
