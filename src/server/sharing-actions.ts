import { shareSnapshot, snapshotGrantees } from "../snapshots/share-snapshot.ts";
import { writeDoneResponse } from "../wire/ec2/delete-snapshot.ts";
import {
  readDescribeSnapshotAttributeRequest,
  readModifySnapshotAttributeRequest,
  readResetSnapshotAttributeRequest,
  writeDescribeSnapshotAttributeResponse,
} from "../wire/ec2/snapshot-attribute.ts";
import { type QueryActions, snapshotFault } from "./query-call.ts";

/** The actions that let other accounts read a snapshot. */
export const SHARING_ACTIONS: QueryActions = {
  async ModifySnapshotAttribute(core, { principal, parameters, requestId }) {
    const { SnapshotId, add, remove } = readModifySnapshotAttributeRequest(parameters);
    const change = { snapshotId: SnapshotId, add, remove };
    if (!(await shareSnapshot(core, principal.account, change))) throw snapshotFault(SnapshotId);
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
