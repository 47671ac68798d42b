import type { Core } from "../../snapshots/core.ts";
import { checkParameters } from "../../wire/ec2/parameters.ts";
import { type QueryService, queryFault } from "../../wire/ec2/query.ts";
import type { ServiceFault } from "../../wire/errors.ts";
import type { WireResponse } from "../../wire/message.ts";
import { ABSENT_ACTIONS, insteadFault } from "./absent-actions.ts";
import { COPY_IMAGE_ACTION } from "./copy-image-action.ts";
import { ENCRYPTION_ACTIONS } from "./encryption-actions.ts";
import { IMAGE_ACTIONS } from "./image-actions.ts";
import { IMAGE_ATTRIBUTE_ACTIONS } from "./image-attribute-actions.ts";
import { IMAGE_USE_ACTIONS } from "./image-use-actions.ts";
import { LOCK_ACTIONS } from "./lock-actions.ts";
import type { QueryActions, QueryCall } from "./query-call.ts";
import { RECYCLE_BIN_ACTIONS } from "./recycle-bin-actions.ts";
import { REGION_ACTIONS } from "./region-actions.ts";
import { SHARING_ACTIONS } from "./sharing-actions.ts";
import { SNAPSHOT_ACTIONS } from "./snapshot-actions.ts";
import { STS_ACTIONS } from "./sts-actions.ts";
import { TAG_ACTIONS } from "./tag-actions.ts";

/** The actions of each service that tools need next to the EBS direct APIs, family by family. */
const ACTIONS: Readonly<Record<QueryService, QueryActions>> = {
  ec2: {
    ...SNAPSHOT_ACTIONS,
    ...TAG_ACTIONS,
    ...SHARING_ACTIONS,
    ...REGION_ACTIONS,
    ...LOCK_ACTIONS,
    ...RECYCLE_BIN_ACTIONS,
    ...IMAGE_ACTIONS,
    ...IMAGE_ATTRIBUTE_ACTIONS,
    ...IMAGE_USE_ACTIONS,
    ...COPY_IMAGE_ACTION,
    ...ABSENT_ACTIONS,
    ...ENCRYPTION_ACTIONS,
  },
  sts: STS_ACTIONS,
};

/** True for an action that is carried out, or refused by its own name. */
export function isQueryAction(service: QueryService, action: string): boolean {
  return Object.hasOwn(ACTIONS[service], action);
}

/** The actions there are. */
export const QUERY_ACTION_NAMES: Readonly<Record<QueryService, readonly string[]>> = {
  ec2: Object.keys(ACTIONS.ec2),
  sts: Object.keys(ACTIONS.sts),
};

/** Carries out one action; an action that is not there is a clear UnsupportedOperation. */
export async function callQueryAction(
  core: Core,
  service: QueryService,
  call: QueryCall,
): Promise<WireResponse> {
  const { action } = call.parameters;
  const actions = ACTIONS[service];
  const handler = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (handler) {
    if (service === "ec2") checkParameters(call.parameters);
    // Only asked whether it might; what comes before this has said so.
    if (call.parameters.get("DryRun") === "true") throw dryRunFault();
    return handler(core, call);
  }
  const instead = service === "ec2" ? await insteadFault(core, call) : undefined;
  if (instead) throw instead;
  const known = Object.keys(actions).join(", ");
  throw queryFault(
    400,
    "UnsupportedOperation",
    `Varve does not support the ${service.toUpperCase()} action '${action.slice(0, 64)}'. ` +
      `It supports: ${known}.`,
  );
}

function dryRunFault(): ServiceFault {
  const message = "Request would have succeeded, but DryRun flag is set.";
  return queryFault(412, "DryRunOperation", message);
}
