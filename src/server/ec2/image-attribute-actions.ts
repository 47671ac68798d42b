import type { Core } from "../../snapshots/core.ts";
import { findOwnedImage, modifyImage } from "../../snapshots/images/images.ts";
import { writeDoneResponse } from "../../wire/ec2/delete-snapshot.ts";
import {
  readDescribeImageAttributeRequest,
  readModifyImageAttributeRequest,
  readResetImageAttributeRequest,
  writeDescribeImageAttributeResponse,
} from "../../wire/ec2/image-attribute.ts";
import { queryFault } from "../../wire/ec2/query.ts";
import { imageFault, type QueryActions, type QueryCall } from "./query-call.ts";

/** The actions on what an image says of itself and who may see it. */
export const IMAGE_ATTRIBUTE_ACTIONS: QueryActions = {
  async ModifyImageAttribute(core, call) {
    const { ImageId, ...change } = readModifyImageAttributeRequest(call.parameters);
    const { isDisabled } = await ownedImage(core, call, ImageId);
    if (isDisabled === true && change.grantees.add.length > 0) {
      const message = `The image ${ImageId} is disabled and cannot be shared: EnableImage first`;
      throw queryFault(400, "InvalidAMIID.Unavailable", message);
    }
    const modified = await modifyImage(core, call.principal.account, { imageId: ImageId, change });
    if (!modified) throw imageFault(ImageId);
    return writeDoneResponse("ModifyImageAttribute", call.requestId);
  },

  async ResetImageAttribute(core, call) {
    const ImageId = readResetImageAttributeRequest(call.parameters);
    const { grantees } = await ownedImage(core, call, ImageId);
    const change = {
      description: undefined,
      settings: {},
      grantees: { add: [], remove: grantees },
    };
    await modifyImage(core, call.principal.account, { imageId: ImageId, change });
    return writeDoneResponse("ResetImageAttribute", call.requestId);
  },

  async DescribeImageAttribute(core, call) {
    const { ImageId, Attribute } = readDescribeImageAttributeRequest(call.parameters);
    const image = await ownedImage(core, call, ImageId);
    return writeDescribeImageAttributeResponse(call.requestId, Attribute, image);
  },
};

async function ownedImage(core: Core, { principal }: QueryCall, imageId: string) {
  const image = await findOwnedImage(core, principal.account, imageId);
  if (image) return image;
  throw imageFault(imageId);
}
