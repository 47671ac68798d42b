import type { Core } from "../snapshots/core.ts";
import { type QueryParameters, queryFault } from "../wire/ec2/query.ts";
import type { ServiceFault } from "../wire/errors.ts";
import type { WireResponse } from "../wire/message.ts";
import type { Caller } from "./authorize.ts";

/** An authenticated call of one EC2 or STS action. */
export interface QueryCall extends Caller {
  readonly parameters: QueryParameters;
  readonly requestId: string;
}

/** One action from message to message: read and check, do it, write the answer. */
export type QueryAction = (core: Core, call: QueryCall) => Promise<WireResponse>;

/** Actions by the names that EC2 and STS know them by. */
export type QueryActions = Readonly<Record<string, QueryAction>>;

/** What EC2 says of a snapshot that is unknown or somebody else's, or of an id that is none. */
export function snapshotFault(snapshotId: string): ServiceFault {
  const id = snapshotId.slice(0, 64);
  if (!/^snap-[0-9a-f]+$/.test(snapshotId)) {
    return queryFault(400, "InvalidSnapshotID.Malformed", `Invalid id: "${id}"`);
  }
  const message = `The snapshot '${id}' does not exist.`;
  return queryFault(400, "InvalidSnapshot.NotFound", message);
}

/** What EC2 says of a filter it does not know: it must be refused, never passed over. */
export function filterFault(name: string): ServiceFault {
  const message = `The filter '${name.slice(0, 64)}' is invalid`;
  return queryFault(400, "InvalidParameterValue", message);
}
