import type { ReceivedResponse, WireRequest, WireResponse } from "../message.ts";
import { readXml, writeQueryRequest, writeStsResponse } from "./query.ts";

/** Output of GetCallerIdentity. */
export interface CallerIdentity {
  readonly Account: string;
  readonly Arn: string;
  readonly UserId: string;
}

/** Writes a GetCallerIdentity request. */
export function writeGetCallerIdentityRequest(): WireRequest {
  return writeQueryRequest("sts", "GetCallerIdentity", {});
}

/** Reads a GetCallerIdentity response. */
export function readGetCallerIdentityResponse(response: ReceivedResponse): CallerIdentity {
  const result = readXml(response)["GetCallerIdentityResponse"]?.["GetCallerIdentityResult"];
  const text = (name: keyof CallerIdentity): string => result?.[name] ?? "";
  if (text("Account") === "") throw new TypeError("The answer has no Account");
  return { Account: text("Account"), Arn: text("Arn"), UserId: text("UserId") };
}

/** Writes the answer of STS GetCallerIdentity. */
export function writeGetCallerIdentityResponse(
  requestId: string,
  caller: { readonly account: string; readonly userId: string; readonly arn: string },
): WireResponse {
  return writeStsResponse("GetCallerIdentity", requestId, {
    Arn: caller.arn,
    UserId: caller.userId,
    Account: caller.account,
  });
}
