import type { WireResponse } from "../message.ts";
import { invalidValue, required } from "./members.ts";
import { type QueryParameters, writeEc2Response } from "./query.ts";

const STATES = ["block-all-sharing", "block-new-sharing"] as const;

/** Reads an EnableSnapshotBlockPublicAccess request: what is blocked from now on. */
export function readEnableBlockPublicAccessRequest(
  parameters: QueryParameters,
): (typeof STATES)[number] {
  const text = required(parameters, "State");
  const state = STATES.find((each) => each === text);
  if (state) return state;
  throw invalidValue("State", text, `Expecting one of ${STATES.join(", ")}.`);
}

/** Writes the answer of the actions that change what is blocked. */
export function writeBlockPublicAccessResponse(
  action: string,
  requestId: string,
  state: string,
): WireResponse {
  return writeEc2Response(action, requestId, { state });
}

/** Writes a GetSnapshotBlockPublicAccessState response. Nobody but the account decides here. */
export function writeBlockPublicAccessStateResponse(
  requestId: string,
  state: string,
): WireResponse {
  const members = { state, managedBy: "account" };
  return writeEc2Response("GetSnapshotBlockPublicAccessState", requestId, members);
}
