import { formatTimeMs } from "../../base/clock.ts";
import {
  ROLE_SESSION_DURATION_SECONDS_DEFAULT,
  ROLE_SESSION_DURATION_SECONDS_MAX,
  SESSION_DURATION_SECONDS_DEFAULT,
  SESSION_DURATION_SECONDS_MAX,
  SESSION_DURATION_SECONDS_MIN,
  SESSION_POLICY_CHARACTERS_MAX,
} from "../../model/limits.ts";
import { Constraints } from "../constraints.ts";
import type { ReceivedResponse, WireRequest, WireResponse } from "../message.ts";
import {
  type QueryParameters,
  queryFault,
  readXml,
  writeQueryRequest,
  writeStsResponse,
} from "./query.ts";

/* The actions of STS that give temporary credentials. */

/** Input of GetSessionToken. */
export interface GetSessionTokenRequest {
  readonly DurationSeconds: number;
}

/** Input of GetFederationToken. */
export interface GetFederationTokenRequest extends GetSessionTokenRequest {
  readonly Name: string;
  readonly Policy: string | undefined;
}

/** Input of AssumeRole. */
export interface AssumeRoleRequest extends GetSessionTokenRequest {
  readonly RoleArn: string;
  readonly RoleSessionName: string;
  readonly Policy: string | undefined;
}

/** Temporary credentials as STS tells them. */
export interface TemporaryCredentials {
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly SessionToken: string;
  /** ISO 8601. */
  readonly Expiration: string;
}

/** Names of roles, sessions and federated users; ARNs are made of them. */
const NAME = /^[\w+=,.@-]*$/;
/** The alphabet of session policies. */
const POLICY = /^[\t\n\r\u0020-\u00FF]+$/;
const ROLE_ARN = /^arn:aws:iam::[0-9]{12}:role\/([\x21-\x7E]+\/)?[\w+=,.@-]{1,64}$/;
const ROLE_ARN_CHARACTERS_MIN = 20;
const ROLE_ARN_CHARACTERS_MAX = 2_048;

/** Reads a GetSessionToken request. */
export function readGetSessionTokenRequest(parameters: QueryParameters): GetSessionTokenRequest {
  refuseOthers(parameters, ["DurationSeconds"]);
  const constraints = new Constraints();
  const DurationSeconds = readDuration(constraints, parameters, SESSION_DURATION_SECONDS_MAX);
  constraints.check();
  return { DurationSeconds: DurationSeconds ?? SESSION_DURATION_SECONDS_DEFAULT };
}

/** Reads a GetFederationToken request. */
export function readGetFederationTokenRequest(
  parameters: QueryParameters,
): GetFederationTokenRequest {
  refuseOthers(parameters, ["DurationSeconds", "Name", "Policy"]);
  const constraints = new Constraints();
  const duration = readDuration(constraints, parameters, SESSION_DURATION_SECONDS_MAX);
  const bounds = { minLength: 2, maxLength: 32, pattern: NAME };
  const name = constraints.text("name", parameters.get("Name"), bounds);
  const Name = constraints.required("name", name, "");
  const Policy = readSessionPolicy(constraints, parameters);
  constraints.check();
  return { Name, Policy, DurationSeconds: duration ?? SESSION_DURATION_SECONDS_DEFAULT };
}

/** Reads an AssumeRole request. */
export function readAssumeRoleRequest(parameters: QueryParameters): AssumeRoleRequest {
  refuseOthers(parameters, ["DurationSeconds", "RoleArn", "RoleSessionName", "Policy"]);
  const constraints = new Constraints();
  const duration = readDuration(constraints, parameters, ROLE_SESSION_DURATION_SECONDS_MAX);
  const arnBounds = {
    minLength: ROLE_ARN_CHARACTERS_MIN,
    maxLength: ROLE_ARN_CHARACTERS_MAX,
    pattern: ROLE_ARN,
  };
  const arn = constraints.text("roleArn", parameters.get("RoleArn"), arnBounds);
  const RoleArn = constraints.required("roleArn", arn, "");
  const nameBounds = { minLength: 2, maxLength: 64, pattern: NAME };
  const name = constraints.text("roleSessionName", parameters.get("RoleSessionName"), nameBounds);
  const RoleSessionName = constraints.required("roleSessionName", name, "");
  const Policy = readSessionPolicy(constraints, parameters);
  constraints.check();
  const DurationSeconds = duration ?? ROLE_SESSION_DURATION_SECONDS_DEFAULT;
  return { RoleArn, RoleSessionName, Policy, DurationSeconds };
}

function readDuration(
  constraints: Constraints,
  parameters: QueryParameters,
  max: number,
): number | undefined {
  const bounds = { min: SESSION_DURATION_SECONDS_MIN, max };
  return constraints.integerText("durationSeconds", parameters.get("DurationSeconds"), bounds);
}

function readSessionPolicy(
  constraints: Constraints,
  parameters: QueryParameters,
): string | undefined {
  const bounds = { minLength: 1, maxLength: SESSION_POLICY_CHARACTERS_MAX, pattern: POLICY };
  return constraints.text("policy", parameters.get("Policy"), bounds);
}

/**
 * A parameter that cannot be honoured is refused: whoever sends an MFA code or the ARN of a policy
 * believes that the credentials are bound to it.
 */
function refuseOthers(parameters: QueryParameters, known: readonly string[]): void {
  const names = ["Action", "Version", ...known];
  const other = [...parameters.names()].find((name) => !names.includes(name));
  if (other === undefined) return;
  const what = `the parameter '${other.slice(0, 64)}' of ${parameters.action}`;
  const message = `Varve does not support ${what}. It supports: ${known.join(", ")}.`;
  throw queryFault(400, "InvalidParameterCombination", message);
}

/** What an answer tells of new credentials. */
export interface IssuedSession {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiresAtMs: number;
  readonly arn: string;
  /** The id of who the session speaks as. */
  readonly userId: string;
  readonly policies: readonly string[];
}

/** Writes the answer of GetSessionToken. */
export function writeGetSessionTokenResponse(id: string, session: IssuedSession): WireResponse {
  return writeStsResponse("GetSessionToken", id, { Credentials: credentialsOf(session) });
}

/** Writes the answer of GetFederationToken. */
export function writeGetFederationTokenResponse(id: string, session: IssuedSession): WireResponse {
  return writeStsResponse("GetFederationToken", id, {
    Credentials: credentialsOf(session),
    FederatedUser: { FederatedUserId: session.userId, Arn: session.arn },
    ...packedPolicySize(session),
  });
}

/** Writes the answer of AssumeRole. */
export function writeAssumeRoleResponse(id: string, session: IssuedSession): WireResponse {
  return writeStsResponse("AssumeRole", id, {
    Credentials: credentialsOf(session),
    AssumedRoleUser: { AssumedRoleId: session.userId, Arn: session.arn },
    ...packedPolicySize(session),
  });
}

function credentialsOf(session: IssuedSession): TemporaryCredentials {
  return {
    AccessKeyId: session.accessKeyId,
    SecretAccessKey: session.secretAccessKey,
    SessionToken: session.sessionToken,
    Expiration: formatTimeMs(session.expiresAtMs).replace(/\.\d+Z$/, "Z"),
  };
}

/** How much of the room for session policies is taken, in per cent. */
function packedPolicySize({ policies }: IssuedSession): { PackedPolicySize?: number } {
  if (policies.length === 0) return {};
  const characters = policies.reduce((sum, { length }) => sum + length, 0);
  return { PackedPolicySize: Math.ceil((characters * 100) / SESSION_POLICY_CHARACTERS_MAX) };
}

/** Writes a GetSessionToken request. */
export function writeGetSessionTokenRequest(input: Partial<GetSessionTokenRequest>): WireRequest {
  return writeQueryRequest("sts", "GetSessionToken", { ...input });
}

/** Writes a GetFederationToken request. */
export function writeGetFederationTokenRequest(
  input: Pick<GetFederationTokenRequest, "Name"> & Partial<GetFederationTokenRequest>,
): WireRequest {
  return writeQueryRequest("sts", "GetFederationToken", { ...input });
}

/** Reads the credentials in the answer of either. */
export function readCredentialsResponse(
  action: "GetSessionToken" | "GetFederationToken",
  response: ReceivedResponse,
): TemporaryCredentials {
  const root = readXml(response)[`${action}Response`];
  const found = root?.[`${action}Result`]?.["Credentials"];
  const text = (name: keyof TemporaryCredentials): string => {
    const value = found?.[name];
    if (typeof value === "string" && value !== "") return value;
    throw new TypeError(`The answer has no ${name}`);
  };
  return {
    AccessKeyId: text("AccessKeyId"),
    SecretAccessKey: text("SecretAccessKey"),
    SessionToken: text("SessionToken"),
    Expiration: text("Expiration"),
  };
}
