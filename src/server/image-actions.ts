import type { Image } from "../model/image.ts";
import type { Core } from "../snapshots/core.ts";
import { imageMatcher, unknownImageFilters } from "../snapshots/image-filters.ts";
import {
  deregisterImage,
  describeImages,
  findVisibleImage,
  modifyImage,
} from "../snapshots/images.ts";
import { type RegistrationRefusal, registerImage } from "../snapshots/register-image.ts";
import { writeDoneResponse } from "../wire/ec2/delete-snapshot.ts";
import {
  type DescribeImagesRequest,
  readDeregisterImageRequest,
  readDescribeImagesRequest,
  readModifyImageAttributeRequest,
  readRegisterImageRequest,
  writeDescribeImagesResponse,
  writeRegisterImageResponse,
} from "../wire/ec2/images.ts";
import { queryFault } from "../wire/ec2/query.ts";
import type { ServiceFault } from "../wire/errors.ts";
import type { WireResponse } from "../wire/message.ts";
import { filterFault, type QueryActions, type QueryCall, snapshotFault } from "./query-call.ts";
import { openPage, pageAfter } from "./query-paging.ts";
import { checkTagsForEc2 } from "./tag-actions.ts";

/** The actions that make machine images of snapshots. No machine is ever started here. */
export const IMAGE_ACTIONS: QueryActions = {
  RegisterImage: register,
  DescribeImages: describe,

  async DeregisterImage(core, { principal, parameters, requestId }) {
    const imageId = readDeregisterImageRequest(parameters);
    if (!(await deregisterImage(core, principal.account, imageId))) throw imageFault(imageId);
    return writeDoneResponse("DeregisterImage", requestId);
  },

  async ModifyImageAttribute(core, { principal, parameters, requestId }) {
    const { ImageId, ...change } = readModifyImageAttributeRequest(parameters);
    const isDone = await modifyImage(core, principal.account, { imageId: ImageId, change });
    if (!isDone) throw imageFault(ImageId);
    return writeDoneResponse("ModifyImageAttribute", requestId);
  },
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
    case "name-taken": {
      const message = `AMI name ${name} is already in use by another AMI of this account`;
      return queryFault(400, "InvalidAMIName.Duplicate", message);
    }
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
      if (matches(image)) images.push(image);
    }
    return writeDescribeImagesResponse(requestId, images, undefined);
  }
  const page = { matches, ...openPage(core, call, input) };
  const { images, hasMore } = await describeImages(core, account, page);
  const nextToken = pageAfter(core, call, hasMore ? images.at(-1)?.id : undefined);
  return writeDescribeImagesResponse(requestId, images, nextToken);
}

function matcherFor(
  account: string,
  { Filters, Owners, ExecutableUsers }: DescribeImagesRequest,
): (image: Image) => boolean {
  const [unknown] = unknownImageFilters(Filters);
  if (unknown !== undefined) throw filterFault(unknown);
  const matches = imageMatcher(Filters);
  const named = (name: string) => (name === "self" ? account : name);
  const owners = Owners.map(named);
  const users = ExecutableUsers.map(named);
  return (image) => {
    if (owners.length > 0 && !owners.includes(image.account)) return false;
    const isExecutable = [image.account, ...image.grantees].some((name) => users.includes(name));
    return (users.length === 0 || isExecutable) && matches(image);
  };
}

/** What EC2 says of an image that is unknown or somebody else's, or of an id that is none. */
function imageFault(imageId: string): ServiceFault {
  const id = imageId.slice(0, 64);
  if (/^ami-[0-9a-f]+$/.test(imageId)) {
    return queryFault(400, "InvalidAMIID.NotFound", `The image id '[${id}]' does not exist`);
  }
  const message = `Invalid id: "${id}" (expecting "ami-...")`;
  return queryFault(400, "InvalidAMIID.Malformed", message);
}
