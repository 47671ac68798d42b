import {
  BODY_SIZE_BYTES_MAX,
  SIMULATED_CONTEXT_CHARACTERS_MAX,
  SIMULATED_COUNT_MAX,
} from "../../model/limits.ts";
import { Constraints, type TextBounds } from "../constraints.ts";
import { jsonResponse, parseJsonObject, readJson, serializationFault } from "../json.ts";
import { type ReceivedResponse, request, type WireRequest, type WireResponse } from "../message.ts";
import { formatAdminRoute } from "./routes.ts";

/** What a request would say of itself: a condition key and its values. */
export interface ContextEntry {
  /** For example `aws:SourceIp`; upper and lower case are the same. */
  readonly Name: string;
  readonly Values: readonly string[];
}

/** Input of SimulatePolicy: a policy's text, or the access key whose policy is meant. */
export interface SimulatePolicyRequest {
  readonly PolicyDocument?: string | undefined;
  readonly AccessKeyId?: string | undefined;
  /** For example `ebs:PutSnapshotBlock`; left out for all that policies are asked about here. */
  readonly Actions?: readonly string[] | undefined;
  /** ARNs, ids of snapshots or images, or `*`; left out for `*` alone. */
  readonly Resources?: readonly string[] | undefined;
  /** Left out: the time as it is, and the tags of a resource of the caller's own. */
  readonly ContextEntries?: readonly ContextEntry[] | undefined;
}

/** What a policy says to one action on one resource. */
export interface SimulationResult {
  readonly Action: string;
  /** As an ARN, or `*`. */
  readonly Resource: string;
  /** `implicitDeny`: nothing allows it. */
  readonly Decision: "allowed" | "explicitDeny" | "implicitDeny";
  /** Places in the policy, from 0, of the statements that speak of it. */
  readonly Statements: readonly number[];
}

/** Output of SimulatePolicy: each action on each resource, in the order asked for. */
export interface SimulatePolicyResponse {
  /** False for an access key without a policy: all is allowed that its account may do. */
  readonly HasPolicy: boolean;
  readonly Results: readonly SimulationResult[];
}

const POLICY_DOCUMENT: TextBounds = { maxLength: BODY_SIZE_BYTES_MAX, pattern: /^[\S\s]+$/ };
const ACCESS_KEY_ID: TextBounds = { maxLength: 128, pattern: /^[\w-]+$/ };
const ACTION: TextBounds = { maxLength: 128, pattern: /^[a-z0-9-]+:[A-Za-z0-9]+$/ };
const RESOURCE: TextBounds = { maxLength: 1_024, pattern: /^(\*|arn:\S+|(snap|ami)-\w+)$/ };
const CONTEXT_NAME: TextBounds = { maxLength: 256, pattern: /^[\w-]+:[^\s]+$/ };
const CONTEXT_VALUE: TextBounds = { maxLength: 1_024, pattern: /^[\S\s]*$/ };

/** Reads and checks a SimulatePolicy request. */
export function readSimulatePolicyRequest({
  body,
}: Pick<WireRequest, "body">): SimulatePolicyRequest {
  const json = parseJsonObject(body);
  const c = new Constraints();
  const texts = (name: string, value: unknown, bounds: TextBounds) =>
    listAt(name, value)?.map((each) => c.text(name, each, bounds) ?? "");
  const entries = listAt("contextEntries", json["ContextEntries"])?.map((each) => {
    const { Name, Values } = (each ?? {}) as { Name?: unknown; Values?: unknown };
    return {
      Name: c.text("contextEntries.name", Name, CONTEXT_NAME) ?? "",
      Values: texts("contextEntries.values", Values, CONTEXT_VALUE) ?? [],
    };
  });
  const input = {
    PolicyDocument: c.text("policyDocument", json["PolicyDocument"], POLICY_DOCUMENT),
    AccessKeyId: c.text("accessKeyId", json["AccessKeyId"], ACCESS_KEY_ID),
    Actions: texts("actions", json["Actions"], ACTION),
    Resources: texts("resources", json["Resources"], RESOURCE),
    ContextEntries: entries,
  };
  c.check();
  checkValues(entries ?? []);
  return input;
}

/** Throws for more values, or longer ones, than a policy can be asked about in a moment. */
function checkValues(entries: readonly ContextEntry[]): void {
  const values = entries.flatMap(({ Values }) => Values);
  listAt("contextEntries.values", values);
  const { length } = values.join("");
  if (length <= SIMULATED_CONTEXT_CHARACTERS_MAX) return;
  const bound = `there can be ${SIMULATED_CONTEXT_CHARACTERS_MAX}`;
  throw serializationFault(`contextEntries.values have ${length} characters in all; ${bound}`);
}

/** An optional list of a bounded length. */
function listAt(name: string, value: unknown): readonly unknown[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw serializationFault(`${name} must be a list`);
  if (value.length <= SIMULATED_COUNT_MAX) return value;
  const message = `${name} has ${value.length} members; there can be ${SIMULATED_COUNT_MAX}`;
  throw serializationFault(message);
}

/** Writes a SimulatePolicy request. */
export function writeSimulatePolicyRequest(input: SimulatePolicyRequest): WireRequest {
  return request({
    ...formatAdminRoute("SimulatePolicy"),
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode(JSON.stringify(input)),
  });
}

/** Writes a SimulatePolicy response. */
export function writeSimulatePolicyResponse(response: SimulatePolicyResponse): WireResponse {
  return jsonResponse(200, JSON.stringify(response));
}

/** Reads a SimulatePolicy response. */
export function readSimulatePolicyResponse(response: ReceivedResponse): SimulatePolicyResponse {
  return readJson(response) as unknown as SimulatePolicyResponse;
}
