import type { GranteesChange } from "../catalog/catalog.ts";
import type { AccountId } from "../model/ids.ts";
import type { Image } from "../model/image.ts";
import type { Core } from "./core.ts";

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
  const isShared = image.grantees.includes(account) || image.grantees.includes("all");
  return image.account === account || isShared;
}

/** The matching images that this account may see, in order of id, and whether there are more. */
export async function describeImages(
  core: Core,
  account: AccountId,
  input: {
    readonly matches: (image: Image) => boolean;
    readonly afterId: string;
    readonly limit: number;
  },
): Promise<{ readonly images: readonly Image[]; readonly hasMore: boolean }> {
  const images: Image[] = [];
  for (let afterId = input.afterId; ; ) {
    const page = await core.catalog.images.page(afterId, SCAN_COUNT);
    for (const image of page) {
      if (!isVisible(image, account) || !input.matches(image)) continue;
      if (images.length === input.limit) return { images, hasMore: true };
      images.push(image);
    }
    const last = page.at(-1);
    if (!last || page.length < SCAN_COUNT) return { images, hasMore: false };
    afterId = last.id;
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

/** Changes an image; false if this account owns none of that id. */
export async function modifyImage(
  core: Core,
  account: AccountId,
  { imageId, change }: { readonly imageId: string; readonly change: ImageChange },
): Promise<boolean> {
  const image = await findOwnedImage(core, account, imageId);
  if (!image) return false;
  const { add, remove } = change.grantees;
  const grantees = [...new Set([...image.grantees, ...add])].filter((it) => !remove.includes(it));
  return core.catalog.images.replace({
    ...image,
    description: change.description ?? image.description,
    settings: { ...image.settings, ...change.settings },
    grantees: grantees.sort(),
  });
}

/** Removes an image, and with it the hold on its snapshots; false if this account has none. */
export async function deregisterImage(
  core: Core,
  account: AccountId,
  imageId: string,
): Promise<boolean> {
  const image = await findOwnedImage(core, account, imageId);
  return image !== undefined && core.catalog.images.delete(image.id);
}

async function findOwnedImage(core: Core, account: AccountId, imageId: string) {
  const image = await core.catalog.images.get(imageId);
  return image?.account === account ? image : undefined;
}
