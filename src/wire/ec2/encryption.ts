import type { ReceivedResponse, WireRequest, WireResponse } from "../message.ts";
import { required } from "./members.ts";
import { type QueryParameters, readXml, writeEc2Response, writeQueryRequest } from "./query.ts";

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

/** The actions that show or change whether an account encrypts by default. */
export type EncryptionByDefaultAction =
  | "GetEbsEncryptionByDefault"
  | "EnableEbsEncryptionByDefault"
  | "DisableEbsEncryptionByDefault";

/** The actions that show or change an account's default key. */
export type DefaultKmsKeyIdAction =
  | "GetEbsDefaultKmsKeyId"
  | "ModifyEbsDefaultKmsKeyId"
  | "ResetEbsDefaultKmsKeyId";

/** Writes a request of any of these actions; the key for ModifyEbsDefaultKmsKeyId only. */
export function writeEncryptionRequest(
  action: EncryptionByDefaultAction | DefaultKmsKeyIdAction,
  KmsKeyId?: string,
): WireRequest {
  return writeQueryRequest("ec2", action, { KmsKeyId });
}

/** Reads an answer that says whether the account encrypts by default. */
export function readEncryptionByDefaultResponse(
  action: EncryptionByDefaultAction,
  response: ReceivedResponse,
): boolean {
  return readXml(response)[`${action}Response`]?.["ebsEncryptionByDefault"] === "true";
}

/** Reads an answer that says which key is the account's default one. */
export function readDefaultKmsKeyIdResponse(
  action: DefaultKmsKeyIdAction,
  response: ReceivedResponse,
): string {
  return readXml(response)[`${action}Response`]?.["kmsKeyId"] ?? "";
}
