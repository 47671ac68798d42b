import type { SessionTokens } from "../../identity/session-tokens.ts";
import { parseAccountId } from "../../model/ids.ts";
import type { Core } from "../../snapshots/core.ts";
import { type QueryParameters, queryFault } from "../../wire/ec2/query.ts";
import type { ServiceFault } from "../../wire/errors.ts";
import type { WireResponse } from "../../wire/message.ts";
import type { Caller } from "../access/authorize.ts";

/** An authenticated call of one EC2 or STS action. */
export interface QueryCall extends Caller {
  readonly parameters: QueryParameters;
  readonly requestId: string;
  /** Where STS has temporary credentials from. */
  readonly sessions: SessionTokens;
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

/**
 * Throws unless each owner is an account, `self`, or an alias that Amazon gives. Nobody here has
 * such an alias, so they find nothing; but a name that is mistyped must not find nothing.
 */
export function checkOwners(owners: readonly string[], aliases: readonly string[]): void {
  const known = (owner: string) => owner === "self" || aliases.includes(owner);
  const unknown = owners.find((owner) => !known(owner) && !parseAccountId(owner));
  if (unknown === undefined) return;
  const message = `Invalid user id: "${unknown.slice(0, 64)}"`;
  throw queryFault(400, "InvalidUserID.Malformed", message);
}

/** What EC2 says of an image that is unknown or somebody else's, or of an id that is none. */
export function imageFault(imageId: string): ServiceFault {
  const id = imageId.slice(0, 64);
  if (/^ami-[0-9a-f]+$/.test(imageId)) {
    return queryFault(400, "InvalidAMIID.NotFound", `The image id '[${id}]' does not exist`);
  }
  const message = `Invalid id: "${id}" (expecting "ami-...")`;
  return queryFault(400, "InvalidAMIID.Malformed", message);
}

/** What EC2 says of a name that another image of the account has. */
export function imageNameFault(name: string): ServiceFault {
  const message = `AMI name ${name} is already in use by another AMI of this account`;
  return queryFault(400, "InvalidAMIName.Duplicate", message);
}

/** What EC2 says of a filter it does not know: it must be refused, never passed over. */
export function filterFault(name: string): ServiceFault {
  const message = `The filter '${name.slice(0, 64)}' is invalid`;
  return queryFault(400, "InvalidParameterValue", message);
}
