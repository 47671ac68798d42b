import { shareSnapshot, snapshotGrantees } from "../snapshots/share-snapshot.ts";
import { writeDoneResponse } from "../wire/ec2/delete-snapshot.ts";
import { queryFault } from "../wire/ec2/query.ts";
import {
  readDescribeSnapshotAttributeRequest,
  readModifySnapshotAttributeRequest,
  readResetSnapshotAttributeRequest,
  writeDescribeSnapshotAttributeResponse,
} from "../wire/ec2/snapshot-attribute.ts";
import { type QueryActions, snapshotFault } from "./query-call.ts";

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
    if (outcome === "not-shareable") throw notShareable();
    if (!outcome) throw snapshotFault(SnapshotId);
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
};
