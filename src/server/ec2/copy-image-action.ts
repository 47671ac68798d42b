import { type CopyImageRefusal, copyImage } from "../../snapshots/images/copy-image.ts";
import {
  type CopyImageRequest,
  readCopyImageRequest,
  writeCopyImageResponse,
} from "../../wire/ec2/copy-image.ts";
import { invalidValue } from "../../wire/ec2/members.ts";
import { queryFault } from "../../wire/ec2/query.ts";
import type { ServiceFault } from "../../wire/errors.ts";
import { imageFault, imageNameFault, type QueryActions } from "./query-call.ts";
import { rethrowForEc2 } from "./query-errors.ts";
import { checkTagsForEc2, tagFault } from "./tag-actions.ts";

/** The action that makes an image of one's own of an image. */
export const COPY_IMAGE_ACTION: QueryActions = {
  async CopyImage(core, { principal, parameters, requestId }) {
    const input = readCopyImageRequest(parameters);
    if (input.SourceRegion !== core.region) {
      throw invalidValue("SourceRegion", input.SourceRegion, `Expecting ${core.region}.`);
    }
    if (input.Encrypted || input.KmsKeyId !== undefined) {
      const message =
        "CopyImage leaves snapshots encrypted as they are: copy them with CopySnapshot and " +
        "register an image of the copies";
      throw queryFault(400, "UnsupportedOperation", message);
    }
    checkTagsForEc2(input.imageTags);
    checkTagsForEc2(input.snapshotTags);
    const copied = await copyImage(core, principal.account, {
      name: input.Name,
      sourceImageId: input.SourceImageId,
      description: input.Description,
      clientToken: input.ClientToken,
      withTags: input.CopyImageTags,
      imageTags: input.imageTags,
      snapshotTags: input.snapshotTags,
    }).catch((error: unknown) => rethrowForEc2(tagFault(error)));
    if (typeof copied === "string") throw refusalFault(copied, input);
    return writeCopyImageResponse(requestId, copied.id);
  },
};

function refusalFault(refusal: CopyImageRefusal, input: CopyImageRequest): ServiceFault {
  switch (refusal) {
    case "unknown-image":
      return imageFault(input.SourceImageId);
    case "name-taken":
      return imageNameFault(input.Name);
    case "other-request": {
      const message = "The client token was used before, with another image";
      return queryFault(400, "IdempotentParameterMismatch", message);
    }
    case "no-storage": {
      const message = "You do not have permission to access the storage of this ami";
      return queryFault(400, "InvalidRequest", message);
    }
  }
}
