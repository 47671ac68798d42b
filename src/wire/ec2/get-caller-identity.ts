import type { WireResponse } from "../message.ts";
import { writeStsResponse } from "./query.ts";

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
