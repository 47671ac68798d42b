import { jsonResponse, parseJsonObject, readJson, serializationFault } from "../json.ts";
import { type ReceivedResponse, request, type WireRequest, type WireResponse } from "../message.ts";
import { formatAdminRoute } from "./routes.ts";

/** Input of RotateTokenSecrets. */
export interface RotateTokenSecretsRequest {
  /** True to refuse every token minted so far; left out, each stays good until it expires. */
  readonly Revoke?: boolean | undefined;
}

/** Output of RotateTokenSecrets. */
export interface RotateTokenSecretsResponse {
  /** Since when the new secrets mint. */
  readonly CreateDate: string;
  readonly Revoked: boolean;
}

/** Reads and checks a RotateTokenSecrets request. */
export function readRotateTokenSecretsRequest({
  body,
}: Pick<WireRequest, "body">): RotateTokenSecretsRequest {
  const { Revoke } = body.length === 0 ? {} : parseJsonObject(body);
  if (Revoke === undefined || Revoke === null) return {};
  if (typeof Revoke === "boolean") return { Revoke };
  throw serializationFault("Revoke is neither true nor false");
}

/** Writes a RotateTokenSecrets request. */
export function writeRotateTokenSecretsRequest(input: RotateTokenSecretsRequest): WireRequest {
  return request({
    ...formatAdminRoute("RotateTokenSecrets"),
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode(JSON.stringify(input)),
  });
}

/** Writes a RotateTokenSecrets response. */
export function writeRotateTokenSecretsResponse(
  response: RotateTokenSecretsResponse,
): WireResponse {
  return jsonResponse(200, JSON.stringify(response));
}

/** Reads a RotateTokenSecrets response. */
export function readRotateTokenSecretsResponse(
  response: ReceivedResponse,
): RotateTokenSecretsResponse {
  return readJson(response) as unknown as RotateTokenSecretsResponse;
}
