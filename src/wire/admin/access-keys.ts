import { BODY_SIZE_BYTES_MAX } from "../../model/limits.ts";
import { Constraints, type TextBounds } from "../constraints.ts";
import { jsonResponse, parseJsonObject, readJson } from "../json.ts";
import { type ReceivedResponse, request, type WireRequest, type WireResponse } from "../message.ts";
import { formatAdminRoute } from "./routes.ts";

/** An access key without its secret. */
export interface AccessKeyDescription {
  readonly AccessKeyId: string;
  readonly AccountId: string;
  readonly Status: "Active" | "Inactive";
  /** ISO 8601. */
  readonly CreateDate: string;
  /** False for keys that have every right of their account. */
  readonly HasPolicy: boolean;
}

/** Output of GetAccessKey. */
export interface GetAccessKeyResponse extends AccessKeyDescription {
  /** IAM policy as JSON text; null for none. */
  readonly PolicyDocument: string | null;
}

/** Output of CreateAccessKey, the only one that ever tells a secret. */
export interface CreateAccessKeyResponse extends AccessKeyDescription {
  readonly SecretAccessKey: string;
}

/** Output of ListAccessKeys, oldest first. */
export interface ListAccessKeysResponse {
  readonly AccessKeys: readonly AccessKeyDescription[];
}

/** Input of CreateAccessKey, beside the account. */
export interface CreateAccessKeyRequest {
  readonly PolicyDocument?: string | undefined;
}

/** Input of UpdateAccessKey, beside the key; what is left out stays as it is. */
export interface UpdateAccessKeyRequest {
  readonly Status?: "Active" | "Inactive" | undefined;
  /** Null takes the policy away, and so gives every right. */
  readonly PolicyDocument?: string | null | undefined;
}

const POLICY_DOCUMENT: TextBounds = { maxLength: BODY_SIZE_BYTES_MAX, pattern: /^[\S\s]+$/ };
const STATUS: TextBounds = { maxLength: 8, pattern: /^(Active|Inactive)$/ };

/** Reads and checks a CreateAccessKey request. */
export function readCreateAccessKeyRequest({
  body,
}: Pick<WireRequest, "body">): CreateAccessKeyRequest {
  const json = parseJsonObject(body);
  const c = new Constraints();
  const input = { PolicyDocument: readPolicyDocument(c, json) };
  c.check();
  return input;
}

/** Reads and checks an UpdateAccessKey request. */
export function readUpdateAccessKeyRequest({
  body,
}: Pick<WireRequest, "body">): UpdateAccessKeyRequest {
  const json = parseJsonObject(body);
  const c = new Constraints();
  const status = c.text("status", json["Status"], STATUS);
  const isPolicyTaken = json["PolicyDocument"] === null;
  const policy = isPolicyTaken ? null : readPolicyDocument(c, json);
  c.check();
  return { Status: status as UpdateAccessKeyRequest["Status"], PolicyDocument: policy };
}

function readPolicyDocument(c: Constraints, json: Record<string, unknown>): string | undefined {
  return c.text("policyDocument", json["PolicyDocument"], POLICY_DOCUMENT);
}

/** Writes a CreateAccessKey request for an account, or for the caller's own: `self`. */
export function writeCreateAccessKeyRequest(
  accountId: string,
  input: CreateAccessKeyRequest,
): WireRequest {
  return jsonRequest(formatAdminRoute("CreateAccessKey", { accountId }), input);
}

/** Writes a ListAccessKeys request for an account, or for the caller's own: `self`. */
export function writeListAccessKeysRequest(accountId: string): WireRequest {
  return request(formatAdminRoute("ListAccessKeys", { accountId }));
}

/** Writes a GetAccessKey request. */
export function writeGetAccessKeyRequest(accessKeyId: string): WireRequest {
  return request(formatAdminRoute("GetAccessKey", { accessKeyId }));
}

/** Writes an UpdateAccessKey request. */
export function writeUpdateAccessKeyRequest(
  accessKeyId: string,
  input: UpdateAccessKeyRequest,
): WireRequest {
  return jsonRequest(formatAdminRoute("UpdateAccessKey", { accessKeyId }), input);
}

/** Writes a DeleteAccessKey request. */
export function writeDeleteAccessKeyRequest(accessKeyId: string): WireRequest {
  return request(formatAdminRoute("DeleteAccessKey", { accessKeyId }));
}

function jsonRequest(route: { method: string; path: string }, input: object): WireRequest {
  const body = new TextEncoder().encode(JSON.stringify(input));
  return request({ ...route, headers: { "content-type": "application/json" }, body });
}

/** Writes the answer of any of these operations. */
export function writeAccessKeyResponse(
  status: number,
  response: GetAccessKeyResponse | CreateAccessKeyResponse | ListAccessKeysResponse,
): WireResponse {
  return jsonResponse(status, JSON.stringify(response));
}

/** Reads a CreateAccessKey response. */
export function readCreateAccessKeyResponse(response: ReceivedResponse): CreateAccessKeyResponse {
  return readJson(response) as unknown as CreateAccessKeyResponse;
}

/** Reads a GetAccessKey response. */
export function readGetAccessKeyResponse(response: ReceivedResponse): GetAccessKeyResponse {
  return readJson(response) as unknown as GetAccessKeyResponse;
}

/** Reads a ListAccessKeys response. */
export function readListAccessKeysResponse(response: ReceivedResponse): ListAccessKeysResponse {
  return readJson(response) as unknown as ListAccessKeysResponse;
}
