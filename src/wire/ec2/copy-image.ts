import type { Tag } from "../../model/snapshot.ts";
import type { WireResponse } from "../message.ts";
import { checkImageName } from "./images.ts";
import { readTagSpecificationsOf, required } from "./members.ts";
import { type QueryParameters, writeEc2Response } from "./query.ts";

/** Input of CopyImage. */
export interface CopyImageRequest {
  readonly Name: string;
  readonly SourceImageId: string;
  readonly SourceRegion: string;
  readonly Description: string | undefined;
  readonly ClientToken: string | undefined;
  readonly CopyImageTags: boolean;
  readonly Encrypted: boolean;
  readonly KmsKeyId: string | undefined;
  readonly imageTags: readonly Tag[];
  readonly snapshotTags: readonly Tag[];
}

/** Reads a CopyImage request. */
export function readCopyImageRequest(parameters: QueryParameters): CopyImageRequest {
  const tagsOf = readTagSpecificationsOf(parameters, ["image", "snapshot"]);
  const Name = required(parameters, "Name");
  checkImageName(Name);
  return {
    Name,
    SourceImageId: required(parameters, "SourceImageId"),
    SourceRegion: required(parameters, "SourceRegion"),
    Description: parameters.get("Description"),
    ClientToken: parameters.get("ClientToken"),
    CopyImageTags: parameters.get("CopyImageTags") === "true",
    Encrypted: parameters.get("Encrypted") === "true",
    KmsKeyId: parameters.get("KmsKeyId"),
    imageTags: tagsOf("image"),
    snapshotTags: tagsOf("snapshot"),
  };
}

/** Writes a CopyImage response. */
export function writeCopyImageResponse(requestId: string, imageId: string): WireResponse {
  return writeEc2Response("CopyImage", requestId, { imageId });
}
