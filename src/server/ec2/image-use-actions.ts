import { formatTimeMs } from "../../base/clock.ts";
import type { Core } from "../../snapshots/core.ts";
import {
  type AssociatedDeletion,
  deleteAssociated,
  deregisterImage,
} from "../../snapshots/images/deregister-image.ts";
import {
  type DeprecationRefusal,
  deprecateImage,
  IMAGE_USES,
} from "../../snapshots/images/image-use.ts";
import { changeImage } from "../../snapshots/images/images.ts";
import { writeDoneResponse } from "../../wire/ec2/delete-snapshot.ts";
import {
  type DeleteSnapshotResult,
  readDeregisterImageRequest,
  writeDeregisterImageResponse,
} from "../../wire/ec2/deregister-image.ts";
import {
  readEnableImageDeprecationRequest,
  readEnableProtectionRequest,
  readImageId,
} from "../../wire/ec2/image-use.ts";
import { queryFault } from "../../wire/ec2/query.ts";
import type { ServiceFault } from "../../wire/errors.ts";
import type { WireResponse } from "../../wire/message.ts";
import { isAuthorized } from "../access/authorize.ts";
import { imageFault, type QueryActions, type QueryCall } from "./query-call.ts";

/** The actions on whether an image is still to be used. */
export const IMAGE_USE_ACTIONS: QueryActions = {
  DeregisterImage: deregister,

  async EnableImageDeprecation(core, { principal, parameters, requestId }) {
    const { ImageId, deprecateAtMs } = readEnableImageDeprecationRequest(parameters);
    const input = { imageId: ImageId, atMs: deprecateAtMs };
    const refusal = await deprecateImage(core, principal.account, input);
    if (refusal) throw deprecationFault(refusal, input);
    return writeDoneResponse("EnableImageDeprecation", requestId);
  },

  DisableImageDeprecation: (core, call) =>
    changeUse(core, call, { action: "DisableImageDeprecation", read: readImageId }),
  DisableImage: (core, call) =>
    changeUse(core, call, { action: "DisableImage", read: readImageId }),
  EnableImage: (core, call) => changeUse(core, call, { action: "EnableImage", read: readImageId }),
  EnableImageDeregistrationProtection: (core, call) => {
    const action = "EnableImageDeregistrationProtection";
    return changeUse(core, call, { action, read: readEnableProtectionRequest });
  },
  DisableImageDeregistrationProtection: (core, call) => {
    const action = "DisableImageDeregistrationProtection";
    return changeUse(core, call, { action, read: readImageId });
  },
};

async function changeUse(
  core: Core,
  { principal, parameters, requestId }: QueryCall,
  use: { readonly action: keyof typeof IMAGE_USES; readonly read: typeof readImageId },
): Promise<WireResponse> {
  const imageId = use.read(parameters);
  const change = IMAGE_USES[use.action];
  if (!(await changeImage(core, principal.account, { imageId, change }))) throw imageFault(imageId);
  return writeDoneResponse(use.action, requestId);
}

function deprecationFault(
  refusal: DeprecationRefusal,
  { imageId, atMs }: { readonly imageId: string; readonly atMs: number },
): ServiceFault {
  if (refusal.reason === "unknown-image") return imageFault(imageId);
  const bound =
    refusal.reason === "past"
      ? "It is in the past."
      : `It is later than ${formatTimeMs(refusal.boundMs)}.`;
  const message = `Value (${formatTimeMs(atMs)}) for parameter DeprecateAt is invalid. ${bound}`;
  return queryFault(400, "InvalidParameterValue", message);
}

async function deregister(core: Core, call: QueryCall): Promise<WireResponse> {
  const { principal, parameters, requestId } = call;
  const { ImageId, DeleteAssociatedSnapshots } = readDeregisterImageRequest(parameters);
  const image = await deregisterImage(core, principal.account, ImageId);
  if (image === undefined) throw imageFault(ImageId);
  if (image === "protected") {
    const message = `The image ${ImageId} is protected: DisableImageDeregistrationProtection first`;
    throw queryFault(400, "OperationNotPermitted", message);
  }
  if (!DeleteAssociatedSnapshots) return writeDeregisterImageResponse(requestId, undefined);
  const mayDelete = (resourceId: string) =>
    isAuthorized(core, call, { action: "ec2:DeleteSnapshot", resourceId });
  const deletions = await deleteAssociated(core, image, mayDelete);
  const results = Array.from(deletions, ([SnapshotId, deletion]) => {
    return { SnapshotId, ReturnCode: RETURN_CODES[deletion] };
  });
  return writeDeregisterImageResponse(requestId, results);
}

const RETURN_CODES: Readonly<Record<AssociatedDeletion, DeleteSnapshotResult["ReturnCode"]>> = {
  deleted: "success",
  "used-elsewhere": "skipped",
  "not-permitted": "missing-permissions",
  held: "client-error",
};
