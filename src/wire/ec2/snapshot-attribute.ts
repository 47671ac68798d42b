import type { Grantee } from "../../model/snapshot.ts";
import type { WireResponse } from "../message.ts";
import {
  type GranteesChange,
  granteeItems,
  invalidValue,
  readGranteesChange,
  required,
} from "./members.ts";
import { type QueryParameters, queryFault, writeEc2Response } from "./query.ts";

const PERMISSION = "createVolumePermission";
const PRODUCT_CODES = "productCodes";

/** Reads a ModifySnapshotAttribute request; its one attribute is createVolumePermission. */
export function readModifySnapshotAttributeRequest(
  parameters: QueryParameters,
): { readonly SnapshotId: string } & GranteesChange {
  const SnapshotId = required(parameters, "SnapshotId");
  const attribute = parameters.get("Attribute") ?? PERMISSION;
  if (attribute !== PERMISSION) throw invalidAttribute(attribute);
  const change = readGranteesChange(parameters, "CreateVolumePermission");
  if (change.add.length + change.remove.length === 0) {
    const message = "The request must contain the parameter createVolumePermission";
    throw queryFault(400, "MissingParameter", message);
  }
  return { SnapshotId, ...change };
}

/** Reads a ResetSnapshotAttribute request. */
export function readResetSnapshotAttributeRequest(parameters: QueryParameters): string {
  const attribute = required(parameters, "Attribute");
  if (attribute !== PERMISSION) throw invalidAttribute(attribute);
  return required(parameters, "SnapshotId");
}

/** Reads a DescribeSnapshotAttribute request. */
export function readDescribeSnapshotAttributeRequest(parameters: QueryParameters): {
  readonly SnapshotId: string;
  readonly Attribute: string;
} {
  const Attribute = required(parameters, "Attribute");
  if (Attribute !== PERMISSION && Attribute !== PRODUCT_CODES) throw invalidAttribute(Attribute);
  return { SnapshotId: required(parameters, "SnapshotId"), Attribute };
}

/** Writes a DescribeSnapshotAttribute response. No snapshot of ours has product codes. */
export function writeDescribeSnapshotAttributeResponse(
  requestId: string,
  { SnapshotId, Attribute }: ReturnType<typeof readDescribeSnapshotAttributeRequest>,
  grantees: readonly Grantee[],
): WireResponse {
  const value = Attribute === PERMISSION ? granteeItems(grantees) : "";
  const members = { snapshotId: SnapshotId, [Attribute]: value };
  return writeEc2Response("DescribeSnapshotAttribute", requestId, members);
}

function invalidAttribute(attribute: string) {
  return invalidValue("attribute", attribute, `Expecting ${PERMISSION}.`);
}
