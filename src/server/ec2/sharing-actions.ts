import type { Core } from "../../snapshots/core.ts";
import {
  type PublicAccessState,
  publicAccessState,
  setPublicAccessState,
} from "../../snapshots/public-access.ts";
import { shareSnapshot, snapshotGrantees } from "../../snapshots/share-snapshot.ts";
import { writeDoneResponse } from "../../wire/ec2/delete-snapshot.ts";
import {
  readEnableBlockPublicAccessRequest,
  writeBlockPublicAccessResponse,
  writeBlockPublicAccessStateResponse,
} from "../../wire/ec2/public-access.ts";
import { queryFault } from "../../wire/ec2/query.ts";
import {
  readDescribeSnapshotAttributeRequest,
  readModifySnapshotAttributeRequest,
  readResetSnapshotAttributeRequest,
  writeDescribeSnapshotAttributeResponse,
} from "../../wire/ec2/snapshot-attribute.ts";
import type { ServiceFault } from "../../wire/errors.ts";
import type { WireResponse } from "../../wire/message.ts";
import { type QueryActions, type QueryCall, snapshotFault } from "./query-call.ts";

function notShareable() {
  const message =
    "Encrypted snapshots with EBS default key cannot be shared, and no encrypted one with all";
  return queryFault(400, "OperationNotPermitted", message);
}

/** The actions that let other accounts read a snapshot. */
export const SHARING_ACTIONS: QueryActions = {
  async ModifySnapshotAttribute(core, { principal, parameters, requestId }) {
    const { SnapshotId, add, remove } = readModifySnapshotAttributeRequest(parameters);
    const change = { snapshotId: SnapshotId, add, remove };
    const outcome = await shareSnapshot(core, principal.account, change);
    if (outcome === "unknown") throw snapshotFault(SnapshotId);
    if (outcome === "blocked") throw blockedFault(SnapshotId);
    if (outcome === "not-shareable") throw notShareable();
    return writeDoneResponse("ModifySnapshotAttribute", requestId);
  },

  async ResetSnapshotAttribute(core, { principal, parameters, requestId }) {
    const snapshotId = readResetSnapshotAttributeRequest(parameters);
    const remove = await snapshotGrantees(core, principal.account, snapshotId);
    if (!remove) throw snapshotFault(snapshotId);
    await shareSnapshot(core, principal.account, { snapshotId, add: [], remove });
    return writeDoneResponse("ResetSnapshotAttribute", requestId);
  },

  async DescribeSnapshotAttribute(core, { principal, parameters, requestId }) {
    const input = readDescribeSnapshotAttributeRequest(parameters);
    const grantees = await snapshotGrantees(core, principal.account, input.SnapshotId);
    if (!grantees) throw snapshotFault(input.SnapshotId);
    return writeDescribeSnapshotAttributeResponse(requestId, input, grantees);
  },

  async GetSnapshotBlockPublicAccessState(core, { principal, requestId }) {
    const state = await publicAccessState(core.catalog, principal.account);
    return writeBlockPublicAccessStateResponse(requestId, state);
  },

  EnableSnapshotBlockPublicAccess: (core, call) =>
    block(core, call, readEnableBlockPublicAccessRequest(call.parameters)),
  DisableSnapshotBlockPublicAccess: (core, call) => block(core, call, "unblocked"),
};

async function block(
  core: Core,
  { principal, parameters, requestId }: QueryCall,
  state: PublicAccessState,
): Promise<WireResponse> {
  await setPublicAccessState(core.catalog, principal.account, state);
  return writeBlockPublicAccessResponse(parameters.action, requestId, state);
}

function blockedFault(snapshotId: string): ServiceFault {
  const message =
    `The snapshot ${snapshotId} cannot be shared publicly: the account blocks public access to ` +
    "its snapshots. DisableSnapshotBlockPublicAccess ends that";
  return queryFault(400, "OperationNotPermitted", message);
}
