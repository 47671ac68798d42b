import { formatTimeMs } from "../../base/clock.ts";
import { nextTurn } from "../../base/next-turn.ts";
import { asksAboutResource, decide, narrowPolicy, type Policy } from "../../identity/policy.ts";
import { isUnrestricted, type Principal } from "../../identity/principal.ts";
import type { EncryptionKey } from "../../model/encryption-key.ts";
import { keyNotFound, ServiceError } from "../../model/errors.ts";
import { type AccountId, type Domain, isKeyDomain } from "../../model/ids.ts";
import type { Tag } from "../../model/snapshot.ts";
import { type Core, findVisible } from "../../snapshots/core.ts";
import { keyArn } from "../../snapshots/key-arns.ts";
import { findOwnedResource, findRecycledSnapshot } from "../../snapshots/tagging.ts";
import { readNamedResources, readRequestTags } from "../../wire/ec2/named-resources.ts";
import { type QueryParameters, type QueryService, queryFault } from "../../wire/ec2/query.ts";
import type { ServiceFault } from "../../wire/errors.ts";

/** Who is calling, and from where. */
export interface Caller {
  readonly principal: Principal;
  /** Address at the other end of the connection; a proxy's own where there is one. */
  readonly sourceIp: string;
}

/** What a call is about to do. */
export interface Access {
  /** For example `ebs:PutSnapshotBlock`. */
  readonly action: string;
  /**
   * What it is done to: the id of a snapshot or an image, `null` for a snapshot that starts from
   * nothing, `*` for any snapshot; undefined for actions not done to one of these.
   */
  readonly resourceId: string | undefined;
  /** Full ARN of what is no snapshot and no image. */
  readonly arn?: string | undefined;
  /** What a denial names instead: whoever asked by an alias does not learn what it stands for. */
  readonly askedFor?: string | undefined;
  /** Account that the resource is of, where `resourceId` does not tell. */
  readonly resourceAccount?: string | undefined;
  /** Condition keys of the request itself. */
  readonly keys?: Readonly<Record<string, string | undefined>>;
  /** Tags that the request brings. */
  readonly tags?: readonly Tag[] | undefined;
}

/**
 * Throws AccessDeniedException unless the caller's access key may do all of this. Asked before
 * anything is looked up for the caller: whoever is denied does not learn whether it exists.
 */
export async function authorize(
  core: Core,
  caller: Caller,
  ...accesses: readonly Access[]
): Promise<void> {
  const message = await findDenial(core, caller, accesses);
  if (message !== undefined) throw new ServiceError("AccessDeniedException", undefined, message);
}

/** The same for an action of EC2 or STS. */
export async function authorizeQuery(
  core: Core,
  caller: Caller,
  { service, parameters }: { service: QueryService; parameters: QueryParameters },
): Promise<void> {
  if (service === "sts") {
    const denial = await findDenial(core, caller, stsAccessesOf(parameters, caller));
    if (denial !== undefined) throw queryFault(403, "AccessDenied", denial);
    return;
  }
  const message = await findDenial(core, caller, accessesOf(parameters));
  if (message !== undefined) throw unauthorized(message);
}

/** What EC2 says to whoever may not do this, and why. */
export function unauthorized(message: string): ServiceFault {
  const text = `You are not authorized to perform this operation. ${message}`;
  return queryFault(403, "UnauthorizedOperation", text);
}

/** Who one is and a session as oneself need no permission, as on AWS; to speak as another does. */
function stsAccessesOf(parameters: QueryParameters, { principal }: Caller): Access[] {
  const resourceId = undefined;
  if (parameters.action === "AssumeRole") {
    const arn = parameters.get("RoleArn")?.slice(0, ARN_CHARACTERS_MAX);
    return [{ action: "sts:AssumeRole", resourceId, arn }];
  }
  if (parameters.action === "GetFederationToken") {
    const name = parameters.get("Name")?.slice(0, ARN_CHARACTERS_MAX) ?? "";
    const arn = `arn:aws:sts::${principal.account}:federated-user/${name}`;
    return [{ action: "sts:GetFederationToken", resourceId, arn }];
  }
  return [];
}

/** Characters of an ARN that is asked for (AWS). */
const ARN_CHARACTERS_MAX = 2_048;

/** Actions that answer many things at once and are allowed or not as a whole. */
const ON_EVERYTHING = /^(Describe\w+s|List\w+)$/;

/** One access for each snapshot or image that the action names; throws for too many or too much. */
function accessesOf(parameters: QueryParameters): Access[] {
  const action = `ec2:${parameters.action.replace(/[^A-Za-z0-9]/g, "").slice(0, 64)}`;
  const { tags, isForNew } = readRequestTags(parameters);
  const named = ON_EVERYTHING.test(parameters.action) ? [] : readNamedResources(parameters);
  const ids = named.length === 0 ? [undefined] : named;
  const accesses: Access[] = ids.map((resourceId) => ({ action, resourceId, tags }));
  if (isForNew) accesses.push({ action: "ec2:CreateTags", resourceId: "*", tags });
  return accesses;
}

/** Accesses that are decided about before others get their turn: some milliseconds (ours). */
const ACCESSES_BETWEEN_TURNS = 8;

async function findDenial(
  core: Core,
  caller: Caller,
  accesses: readonly Access[],
): Promise<string | undefined> {
  const { arn } = caller.principal;
  if (isUnrestricted(caller.principal)) return undefined;
  let question: Question | undefined;
  for (const [at, access] of accesses.entries()) {
    if (at > 0 && at % ACCESSES_BETWEEN_TURNS === 0) await nextTurn();
    const { action } = access;
    const resource = resourceOf(core, access);
    if (!question || !isOf(question, access)) question = questionOf(core, caller, access);
    const reason = await reasonToDeny(core, question, access);
    if (reason === undefined) continue;
    const what = `${action} on resource: ${access.askedFor ?? resource} ${reason}`;
    return `User: ${arn} is not authorized to perform: ${what}`;
  }
  return undefined;
}

function resourceOf({ region }: Core, { arn, resourceId }: Access): string {
  return arn ?? (resourceId === undefined ? "*" : resourceArn(region, resourceId));
}

/** What is done to a key on behalf of whoever does this to a snapshot encrypted under it. */
export const KEY_USES = {
  start: ["kms:GenerateDataKey"],
  startChild: ["kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:Decrypt"],
  list: ["kms:DescribeKey"],
  read: ["kms:DescribeKey", "kms:Decrypt"],
} as const;

/**
 * Why the caller's policies forbid these uses of a domain's key; undefined when they do not. The
 * key that the service made for an account may be used by all of that account.
 */
export async function findKeyDenial(
  core: Core,
  caller: Caller,
  { domain, uses }: { readonly domain: Domain; readonly uses: readonly string[] },
): Promise<string | undefined> {
  if (!isKeyDomain(domain)) return undefined;
  const key = await core.catalog.encryption.ofDomain(domain);
  if (key?.manager !== "customer") return undefined;
  const named = accessOfKey(core, caller, key);
  const keys = { ...named.keys, "kms:ViaService": `ec2.${core.region}.amazonaws.com` };
  return findDenial(
    core,
    caller,
    uses.map((action) => ({ ...named, action, keys })),
  );
}

/** Throws "KMS key not found" where the caller's policy does not let it use a snapshot's key. */
export async function authorizeKey(
  core: Core,
  caller: Caller,
  {
    snapshotIds,
    uses,
  }: { readonly snapshotIds: readonly string[]; readonly uses: readonly string[] },
): Promise<void> {
  if (isUnrestricted(caller.principal)) return;
  for (const snapshotId of snapshotIds) {
    const snapshot = await findVisible(core, caller.principal.account, snapshotId);
    if (snapshot?.state !== "completed") continue;
    const denial = await findKeyDenial(core, caller, { domain: snapshot.domain, uses });
    if (denial !== undefined) throw keyNotFound();
  }
}

/** What an access to an encryption key says of the key and of whoever asks. */
export function accessOfKey(
  core: Core,
  { principal }: Caller,
  key: Pick<EncryptionKey, "account" | "id">,
): Omit<Access, "action"> {
  return {
    resourceId: undefined,
    arn: keyArn(core, key),
    resourceAccount: key.account,
    keys: { "kms:CallerAccount": principal.account },
  };
}

/** What is asked of the policies, but for the one of many things that it may be asked about. */
interface Question {
  /** One of the things, and what is the same of all of them. */
  readonly access: Access;
  readonly account: AccountId;
  /** What the request says of itself. */
  readonly context: ReadonlyMap<string, readonly string[]>;
  /** What of the policies is left to ask; undefined where the access key has none. */
  readonly ofKey: Policy | undefined;
  readonly ofSession: readonly Policy[];
}

/** Asks the policies all that does not depend on the thing, once for however many of them. */
function questionOf(core: Core, caller: Caller, access: Access): Question {
  const { account, policy, session } = caller.principal;
  const context = contextOf(core, caller, access);
  const narrow = (whole: Policy) => narrowPolicy(whole, { action: access.action, context });
  const ofSession = session?.parsedPolicies.map(narrow) ?? [];
  return { access, account, context, ofKey: policy && narrow(policy), ofSession };
}

/** True where only the thing is another. */
function isOf({ access }: Question, { action, keys, tags, resourceAccount }: Access): boolean {
  const isSame = access.action === action && access.resourceAccount === resourceAccount;
  return isSame && access.keys === keys && access.tags === tags;
}

/**
 * Why this is denied, in the words of IAM; undefined when the key's policy and every policy of the
 * session allow it. A Deny in any of them is told before what one of them does not allow.
 */
async function reasonToDeny(
  core: Core,
  { account, context: ofRequest, ofKey, ofSession }: Question,
  access: Access,
): Promise<string | undefined> {
  const { action, resourceId } = access;
  // Not where no policy asks: the look-up would take longer for what is there.
  const isAsked = [...(ofKey ? [ofKey] : []), ...ofSession].some(asksAboutResource);
  const ofResource =
    isAsked && resourceId ? await resourceContext(core, account, { action, resourceId }) : [];
  const context = new Map([...ofRequest, ...ofResource]);
  const request = { action, resource: resourceOf(core, access), context };
  const decision = ofKey === undefined ? "allowed" : decide(ofKey, request);
  const told = "with an explicit deny in";
  if (decision === "denied-explicitly") return `${told} an identity-based policy`;
  const decisions = ofSession.map((each) => decide(each, request));
  if (decisions.includes("denied-explicitly")) return `${told} a session policy`;
  if (decision !== "allowed") return `because no identity-based policy allows the ${action} action`;
  if (decisions.every((each) => each === "allowed")) return undefined;
  return `because no session policy allows the ${action} action`;
}

/** True when the caller's access key may do this as well as what was asked for. */
export async function isAuthorized(core: Core, caller: Caller, access: Access): Promise<boolean> {
  return (await findDenial(core, caller, [access])) === undefined;
}

/** The name of a snapshot or an image in policies; its account field is empty, as on AWS. */
export function resourceArn(region: string, id: string): string {
  return `arn:aws:ec2:${region}::${id.startsWith("ami-") ? "image" : "snapshot"}/${id}`;
}

/** Condition keys of the request itself, in lower case. */
function contextOf(
  core: Core,
  { principal, sourceIp }: Caller,
  { keys = {}, tags = [], resourceAccount }: Access,
): ReadonlyMap<string, readonly string[]> {
  const context = new Map<string, string[]>();
  const add = (name: string, value: string | undefined) => {
    if (value === undefined) return;
    const key = name.toLowerCase();
    const values = context.get(key);
    if (values) values.push(value);
    else context.set(key, [value]);
  };
  add("aws:CurrentTime", formatTimeMs(core.clock.nowMs()));
  add("aws:SourceIp", sourceIp);
  const { session } = principal;
  if (session) add("aws:TokenIssueTime", formatTimeMs(session.issuedAtMs));
  for (const [name, value] of Object.entries(keys)) add(name, value);
  add("aws:ResourceAccount", resourceAccount);
  for (const { Key, Value } of tags) {
    add(`aws:RequestTag/${Key}`, Value);
    add("aws:TagKeys", Key);
  }
  return context;
}

/** The one action on what is in the recycle bin and nowhere else; in whatever case. */
const RESTORATION = "ec2:RestoreSnapshotFromRecycleBin".toLowerCase();

/** True for an action on a snapshot that for all others does not exist. */
export function isRestoration(action: string): boolean {
  return action.toLowerCase() === RESTORATION;
}

/**
 * Condition keys that a snapshot or an image has for an action, in lower case. Only of the
 * account's own things: another account's must look like one that is not there.
 */
export async function resourceContext(
  core: Core,
  account: AccountId,
  { action, resourceId }: { readonly action: string; readonly resourceId: string },
): Promise<Map<string, readonly string[]>> {
  const find = isRestoration(action) ? findRecycledSnapshot : findOwnedResource;
  const resource = await find(core, account, resourceId);
  const context = new Map<string, string[]>();
  if (!resource) return context;
  context.set("aws:resourceaccount", [resource.account]);
  for (const { Key, Value } of resource.tags) {
    for (const service of ["aws", "ec2"]) {
      const name = `${service}:resourcetag/${Key.toLowerCase()}`;
      const values = context.get(name);
      if (values) values.push(Value);
      else context.set(name, [Value]);
    }
  }
  return context;
}
