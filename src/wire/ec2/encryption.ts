import type { WireResponse } from "../message.ts";
import { required } from "./members.ts";
import { type QueryParameters, writeEc2Response } from "./query.ts";

/** Writes the answer to the actions that show or change whether an account encrypts by default. */
export function writeEncryptionByDefaultResponse(
  action: string,
  requestId: string,
  ebsEncryptionByDefault: boolean,
): WireResponse {
  return writeEc2Response(action, requestId, { ebsEncryptionByDefault });
}

/** Reads a ModifyEbsDefaultKmsKeyId request. */
export function readModifyEbsDefaultKmsKeyIdRequest(parameters: QueryParameters): string {
  return required(parameters, "KmsKeyId");
}

/** Writes the answer to the actions that show or change an account's default key. */
export function writeDefaultKmsKeyIdResponse(
  action: string,
  requestId: string,
  kmsKeyId: string,
): WireResponse {
  return writeEc2Response(action, requestId, { kmsKeyId });
}
