import { visibleState } from "../../model/snapshot.ts";
import { type Core, findVisible } from "../../snapshots/core.ts";
import { describeSnapshots } from "../../snapshots/describe-snapshots.ts";
import { snapshotMatcher } from "../../snapshots/snapshot-filters.ts";
import {
  readDescribeTierStatusRequest,
  writeDescribeTierStatusResponse,
  writeNoFastSnapshotRestoresResponse,
  writeNoInstancesResponse,
  writeNoVolumesResponse,
} from "../../wire/ec2/absent.ts";
import { type QueryParameters, queryFault } from "../../wire/ec2/query.ts";
import type { ServiceFault } from "../../wire/errors.ts";
import type { WireResponse } from "../../wire/message.ts";
import { filterFault, type QueryActions, type QueryCall, snapshotFault } from "./query-call.ts";
import { openPage, pageAfter } from "./query-paging.ts";

/* What is not there is said truthfully: an empty list, or a refusal with what to do instead. */

/** The actions that list what there is none of. */
export const ABSENT_ACTIONS: QueryActions = {
  async DescribeVolumes(_core, { parameters, requestId }) {
    checkNoneNamed(parameters, { list: "VolumeId", prefix: "vol-" });
    return writeNoVolumesResponse(requestId);
  },

  async DescribeInstances(_core, { parameters, requestId }) {
    checkNoneNamed(parameters, { list: "InstanceId", prefix: "i-" });
    return writeNoInstancesResponse(requestId);
  },

  async DescribeFastSnapshotRestores(_core, { requestId }) {
    return writeNoFastSnapshotRestoresResponse(requestId);
  },

  DescribeSnapshotTierStatus: describeTierStatus,
};

/** Throws for the first id: nothing has it. */
function checkNoneNamed(
  parameters: QueryParameters,
  kind: {
    readonly list: "VolumeId" | "InstanceId";
    readonly prefix: string;
  },
): void {
  const [id] = parameters.list(kind.list);
  if (id === undefined) return;
  const shown = id.slice(0, 64);
  const hex = id.startsWith(kind.prefix) ? id.slice(kind.prefix.length) : "";
  if (/^[0-9a-f]+$/.test(hex)) {
    const code = kind.list === "VolumeId" ? "InvalidVolume.NotFound" : "InvalidInstanceID.NotFound";
    const what = kind.list === "VolumeId" ? "volume" : "instance ID";
    throw queryFault(400, code, `The ${what} '${shown}' does not exist`);
  }
  const message = `Invalid id: "${shown}" (expecting "${kind.prefix}...")`;
  throw queryFault(400, `Invalid${kind.list.replace("Id", "ID")}.Malformed`, message);
}

async function describeTierStatus(core: Core, call: QueryCall): Promise<WireResponse> {
  const input = readDescribeTierStatusRequest(call.parameters);
  const known = ["snapshot-id", "volume-id", "last-tiering-operation"];
  const unknown = input.Filters.find(({ Name }) => !known.includes(Name));
  if (unknown) throw filterFault(unknown.Name);
  // No snapshot was ever moved from one tier to another, so there is no last move to look at.
  const isPossible = !input.Filters.some(({ Name }) => Name === "last-tiering-operation");
  const matches = isPossible ? snapshotMatcher(input.Filters) : () => false;
  const page = { matches, withShared: false, ...openPage(core, call, input) };
  const { snapshots, hasMore } = await describeSnapshots(core, call.principal.account, page);
  const nextToken = pageAfter(core, call, hasMore ? snapshots.at(-1)?.id : undefined);
  return writeDescribeTierStatusResponse(call.requestId, snapshots, nextToken);
}

const NO_VOLUMES = "Varve has no volumes";
const NO_MACHINES = "Varve starts no machines";
const START_SNAPSHOT =
  "start a snapshot with StartSnapshot of the EBS direct APIs, or with 'varve upload'";
const DOWNLOAD =
  "read the snapshot with GetSnapshotBlock, or write it to a disk or a file with 'varve download'";
const ONE_TIER = "every snapshot is in the standard tier, where all of it can be read at once";
const AT_ONCE = "every snapshot can be read at full speed from the start";

/** What to do instead of actions that people who come from AWS look for. */
const INSTEAD: Readonly<Record<string, string>> = {
  CreateVolume: `${NO_VOLUMES}: ${DOWNLOAD}`,
  AttachVolume: `${NO_VOLUMES}: ${DOWNLOAD}`,
  DetachVolume: NO_VOLUMES,
  DeleteVolume: NO_VOLUMES,
  CreateSnapshot: `${NO_VOLUMES} to make a snapshot of: ${START_SNAPSHOT}`,
  CreateSnapshots: `${NO_VOLUMES} to make snapshots of: ${START_SNAPSHOT}`,
  ImportSnapshot: `Varve imports nothing from buckets: ${START_SNAPSHOT}`,
  ImportImage: `Varve imports nothing from buckets: ${START_SNAPSHOT}, and RegisterImage`,
  RunInstances: `${NO_MACHINES}: ${DOWNLOAD}`,
  CreateImage: `${NO_MACHINES} to make an image of: ${START_SNAPSHOT}, and RegisterImage`,
  ModifySnapshotTier: `Varve has no archive: ${ONE_TIER}`,
  RestoreSnapshotTier: `Varve has no archive: ${ONE_TIER}`,
  EnableFastSnapshotRestores: `There is nothing to enable: ${AT_ONCE}`,
  DisableFastSnapshotRestores: `There is nothing to disable: ${AT_ONCE}`,
};

/** The refusal of an action of that list; undefined for others. */
export async function insteadFault(
  core: Core,
  { principal, parameters }: QueryCall,
): Promise<ServiceFault | undefined> {
  const { action } = parameters;
  const instead = Object.hasOwn(INSTEAD, action) ? INSTEAD[action] : undefined;
  if (instead === undefined) return undefined;
  const snapshotId = parameters.get("SnapshotId");
  if (action === "CreateVolume" && snapshotId !== undefined) {
    // What is wrong with the snapshot is said first, as on AWS.
    const snapshot = await findVisible(core, principal.account, snapshotId);
    if (!snapshot) {
      const fault = snapshotFault(snapshotId);
      if (fault.code !== "InvalidSnapshot.NotFound") return fault;
      return queryFault(400, fault.code, "Snapshot does not exist");
    }
    const state = visibleState(snapshot.state);
    if (state !== "completed") {
      return queryFault(400, "IncorrectState", `Snapshot is in invalid state - ${state}`);
    }
  }
  return queryFault(400, "UnsupportedOperation", `${instead}.`);
}
