import { hash } from "node:crypto";
import { PolicyError, parsePolicy } from "../../identity/parse-policy.ts";
import type { Principal } from "../../identity/principal.ts";
import { arnOfSession, type SessionInput } from "../../identity/session-tokens.ts";
import { type AccountId, idLetters } from "../../model/ids.ts";
import {
  CHAINED_SESSION_DURATION_SECONDS_MAX,
  SESSION_POLICY_CHARACTERS_MAX,
} from "../../model/limits.ts";
import { writeGetCallerIdentityResponse } from "../../wire/ec2/get-caller-identity.ts";
import { queryFault } from "../../wire/ec2/query.ts";
import {
  type IssuedSession,
  readAssumeRoleRequest,
  readGetFederationTokenRequest,
  readGetSessionTokenRequest,
  writeAssumeRoleResponse,
  writeGetFederationTokenResponse,
  writeGetSessionTokenResponse,
} from "../../wire/ec2/sessions.ts";
import type { QueryActions, QueryCall } from "./query-call.ts";

/** A federated user who is given no policy can do nothing, as on AWS. */
const POLICY_OF_NOTHING = '{"Statement":{"Effect":"Allow","NotAction":"*","Resource":"*"}}';

/**
 * Who one is, and temporary credentials. There are no roles here: every name of the caller's own
 * account can be assumed, with the caller's own rights, which the session policy can only narrow.
 */
export const STS_ACTIONS: QueryActions = {
  async GetCallerIdentity(_core, { principal, requestId }) {
    const { account, arn, session } = principal;
    const userId = session ? userIdOf(session) : account;
    return writeGetCallerIdentityResponse(requestId, { account, arn, userId });
  },

  async GetSessionToken(_core, call) {
    const input = readGetSessionTokenRequest(call.parameters);
    refuseSessions(call);
    const session = issue(call, { kind: "user", name: "", ...input });
    return writeGetSessionTokenResponse(call.requestId, session);
  },

  async GetFederationToken(_core, call) {
    const { Name: name, ...input } = readGetFederationTokenRequest(call.parameters);
    refuseSessions(call);
    const Policy = input.Policy ?? POLICY_OF_NOTHING;
    const session = issue(call, { kind: "federated-user", name, ...input, Policy });
    return writeGetFederationTokenResponse(call.requestId, session);
  },

  async AssumeRole(_core, call) {
    const { RoleArn, RoleSessionName, ...input } = readAssumeRoleRequest(call.parameters);
    const { principal } = call;
    const [account, role] = [RoleArn.split(":")[4], RoleArn.split("/").at(-1)];
    const isFederated = principal.session?.kind === "federated-user";
    if (isFederated || account !== principal.account) throw roleDenied(principal, RoleArn);
    checkChaining(principal, input.DurationSeconds);
    const session = issue(call, { kind: "role", name: `${role}/${RoleSessionName}`, ...input });
    return writeAssumeRoleResponse(call.requestId, session);
  },
};

/** Mints credentials that can do nothing their maker cannot: all it is bound to, binds them. */
function issue(
  { principal, sessions }: QueryCall,
  input: Pick<SessionInput, "kind" | "name"> & {
    readonly DurationSeconds: number;
    readonly Policy?: string | undefined;
  },
): IssuedSession {
  const { kind, name, DurationSeconds: durationSeconds, Policy } = input;
  const { account, arn, session } = principal;
  const inherited = session?.policies ?? [];
  const policies = Policy === undefined ? inherited : [...inherited, checkedPolicy(Policy)];
  const characters = policies.reduce((sum, { length }) => sum + length, 0);
  const parentAccessKeyId = session?.parentAccessKeyId ?? principal.accessKeyId;
  const origin = { parentAccessKeyId, account };
  const minted =
    characters <= SESSION_POLICY_CHARACTERS_MAX
      ? sessions.mint({ ...origin, kind, name, policies, durationSeconds })
      : undefined;
  if (!minted) {
    const bound = `more than the ${SESSION_POLICY_CHARACTERS_MAX} there is room for`;
    const message = `The session's policies have ${characters} characters together, ${bound}`;
    throw queryFault(400, "PackedPolicyTooLarge", message);
  }
  return { ...minted, arn: arnOfSession(minted, arn), userId: userIdOf(minted) };
}

function checkedPolicy(text: string): string {
  try {
    parsePolicy(text);
    return text;
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw queryFault(400, "MalformedPolicyDocument", error.message);
  }
}

/** As AWS forms them: the account, `ACCOUNT:NAME`, or the role's id with the session's name. */
function userIdOf({ account, kind, name }: Pick<SessionInput, "account" | "kind" | "name">) {
  if (kind === "user") return account;
  if (kind === "federated-user") return `${account}:${name}`;
  const [role = "", session = ""] = name.split("/");
  return `${roleIdOf(account, role)}:${session}`;
}

/** Always the same for a role's name, and of the form that AWS's have. */
function roleIdOf(account: AccountId, role: string): string {
  const digest = hash("sha256", JSON.stringify([account, role]), "buffer");
  return `AROA${idLetters(digest.subarray(0, 17))}`;
}

function refuseSessions({ principal, parameters }: QueryCall): void {
  if (principal.session === undefined) return;
  const message = `Cannot call ${parameters.action} with session credentials`;
  throw queryFault(403, "AccessDenied", message);
}

function checkChaining({ session }: Principal, durationSeconds: number): void {
  if (session?.kind !== "role" || durationSeconds <= CHAINED_SESSION_DURATION_SECONDS_MAX) return;
  const message =
    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role " +
    "chaining";
  throw queryFault(400, "ValidationError", message);
}

/** The same for a role of another account, which may exist for all we say. */
function roleDenied({ arn }: Principal, roleArn: string): Error {
  const what = `sts:AssumeRole on resource: ${roleArn}`;
  return queryFault(403, "AccessDenied", `User: ${arn} is not authorized to perform: ${what}`);
}
