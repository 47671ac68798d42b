import type { Image } from "../../model/image.ts";
import type { Core } from "../../snapshots/core.ts";
import { imageMatcher, unknownImageFilters } from "../../snapshots/images/image-filters.ts";
import { describeImages, findVisibleImage, isListed } from "../../snapshots/images/images.ts";
import { type RegistrationRefusal, registerImage } from "../../snapshots/images/register-image.ts";
import {
  type DescribeImagesRequest,
  readDescribeImagesRequest,
  readRegisterImageRequest,
  writeDescribeImagesResponse,
  writeRegisterImageResponse,
} from "../../wire/ec2/images.ts";
import { queryFault } from "../../wire/ec2/query.ts";
import type { ServiceFault } from "../../wire/errors.ts";
import type { WireResponse } from "../../wire/message.ts";
import {
  checkOwners,
  filterFault,
  imageFault,
  imageNameFault,
  type QueryActions,
  type QueryCall,
  snapshotFault,
} from "./query-call.ts";
import { openPage, pageAfter } from "./query-paging.ts";
import { checkTagsForEc2 } from "./tag-actions.ts";

/** The actions that make machine images of snapshots. No machine is ever started here. */
export const IMAGE_ACTIONS: QueryActions = {
  RegisterImage: register,
  DescribeImages: describe,
};

async function register(
  core: Core,
  { principal, parameters, requestId }: QueryCall,
): Promise<WireResponse> {
  const input = readRegisterImageRequest(parameters);
  checkTagsForEc2(input.Tags);
  const registered = await registerImage(core, principal.account, {
    name: input.Name,
    description: input.Description,
    rootDeviceName: input.RootDeviceName,
    devices: input.devices,
    settings: input.settings,
    tags: input.Tags,
  });
  if ("reason" in registered) throw registrationFault(registered, input.Name);
  return writeRegisterImageResponse(requestId, registered.id);
}

function registrationFault(refusal: RegistrationRefusal, name: string): ServiceFault {
  switch (refusal.reason) {
    case "name-taken":
      return imageNameFault(name);
    case "unknown-snapshot":
      return snapshotFault(refusal.snapshotId);
    case "incomplete-snapshot": {
      const message = `Snapshot ${refusal.snapshotId} is in invalid state: it is not completed`;
      return queryFault(400, "IncorrectState", message);
    }
  }
}

async function describe(core: Core, call: QueryCall): Promise<WireResponse> {
  const { principal, parameters, requestId } = call;
  const input = readDescribeImagesRequest(parameters);
  const { account } = principal;
  const matches = matcherFor(account, input);
  if (input.ImageIds.length > 0) {
    const images: Image[] = [];
    for (const id of new Set(input.ImageIds)) {
      const image = await findVisibleImage(core, account, id);
      if (!image) throw imageFault(id);
      if (await matches(image)) images.push(image);
    }
    const { region } = core;
    return writeDescribeImagesResponse(requestId, { images, region, nextToken: undefined });
  }
  const listed = isListed(core, account, {
    withDeprecated: input.IncludeDeprecated,
    withDisabled: input.IncludeDisabled,
  });
  const isWanted: typeof matches = (image) => listed(image) && matches(image);
  const page = { matches: isWanted, ...openPage(core, call, input) };
  const { images, hasMore } = await describeImages(core, account, page);
  const nextToken = pageAfter(core, call, hasMore ? images.at(-1)?.id : undefined);
  return writeDescribeImagesResponse(requestId, { images, region: core.region, nextToken });
}

function matcherFor(
  account: string,
  { Filters, Owners, ExecutableUsers }: DescribeImagesRequest,
): ReturnType<typeof imageMatcher> {
  const [unknown] = unknownImageFilters(Filters);
  if (unknown !== undefined) throw filterFault(unknown);
  const matches = imageMatcher(Filters);
  checkOwners(Owners, ["amazon", "aws-backup-vault", "aws-marketplace"]);
  const named = (name: string) => (name === "self" ? account : name);
  const owners = Owners.map(named);
  const users = ExecutableUsers.map(named);
  return (image) => {
    if (owners.length > 0 && !owners.includes(image.account)) return false;
    const isExecutable = [image.account, ...image.grantees].some((name) => users.includes(name));
    return (users.length === 0 || isExecutable) && matches(image);
  };
}
