import { formatTimeMs } from "../base/clock.ts";
import { type Decision, decide } from "../identity/policy.ts";
import type { Principal } from "../identity/principal.ts";
import { ServiceError } from "../model/errors.ts";
import { type Domain, isKeyDomain } from "../model/ids.ts";
import type { Tag } from "../model/snapshot.ts";
import { type Core, findOwned } from "../snapshots/core.ts";
import { keyArn } from "../snapshots/key-arns.ts";
import { type QueryParameters, type QueryService, queryFault } from "../wire/ec2/query.ts";
import type { ServiceFault } from "../wire/errors.ts";

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
   * What it is done to: the id of a snapshot or an image, the ARN of a key, `null` for a snapshot
   * that starts from nothing, `*` for any snapshot; undefined for actions not done to one thing.
   */
  readonly resourceId: string | undefined;
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

/** The same for an action of EC2; what STS does is allowed to every key. */
export async function authorizeQuery(
  core: Core,
  caller: Caller,
  { service, parameters }: { service: QueryService; parameters: QueryParameters },
): Promise<void> {
  if (service === "sts") return;
  const message = await findDenial(core, caller, accessesOf(parameters));
  if (message !== undefined) throw unauthorized(message);
}

/** What EC2 says to whoever may not do this, and why. */
export function unauthorized(message: string): ServiceFault {
  const text = `You are not authorized to perform this operation. ${message}`;
  return queryFault(403, "UnauthorizedOperation", text);
}

/** Actions that answer many things at once and are allowed or not as a whole. */
const ON_EVERYTHING = /^(Describe\w+s|List\w+)$/;

/** One access for each snapshot or image that the action names, under whatever parameter. */
function accessesOf(parameters: QueryParameters): Access[] {
  const action = `ec2:${parameters.action.replace(/[^A-Za-z0-9]/g, "").slice(0, 64)}`;
  const values = (names: RegExp) => parameters.matching(names).map(({ value }) => value);
  const tags = parameters.matching(/(^|\.)Tag\.[0-9]+\.Key$/).map(({ name, value: Key }) => {
    return { Key, Value: parameters.get(name.replace(/Key$/, "Value")) ?? "" };
  });
  const named = values(/(^|\.)((Source)?(Snapshot|Resource)|Image)Id(\.[0-9]+)?$/);
  const ids = ON_EVERYTHING.test(parameters.action) || named.length === 0 ? [undefined] : named;
  const accesses: Access[] = ids.map((resourceId) => ({ action, resourceId, tags }));
  const isTagging = parameters.matching(/^TagSpecification\./).length > 0;
  const tagging = { action: "ec2:CreateTags", resourceId: "*", tags };
  return isTagging ? [...accesses, tagging] : accesses;
}

async function findDenial(
  core: Core,
  caller: Caller,
  accesses: readonly Access[],
): Promise<string | undefined> {
  const { policy, arn } = caller.principal;
  // A key without a policy has every right of its account.
  if (policy === undefined) return undefined;
  for (const access of accesses) {
    const { action, resourceId } = access;
    const resource = resourceId === undefined ? "*" : resourceArn(core.region, resourceId);
    const context = await contextOf(core, caller, access);
    const decision = decide(policy, { action, resource, context });
    if (decision === "allowed") continue;
    const what = `${action} on resource: ${resource} ${REASONS[decision](action)}`;
    return `User: ${arn} is not authorized to perform: ${what}`;
  }
  return undefined;
}

/** What is done to a key on behalf of whoever does this to a snapshot encrypted under it. */
export const KEY_USES = {
  start: ["kms:GenerateDataKey"],
  startChild: ["kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:Decrypt"],
  list: ["kms:DescribeKey"],
  read: ["kms:DescribeKey", "kms:Decrypt"],
} as const;

/**
 * Why the caller's policy forbids these uses of a domain's key; undefined when it does not. The
 * key that the service made for an account may be used by all of that account.
 */
export async function findKeyDenial(
  core: Core,
  caller: Caller,
  { domain, uses }: { readonly domain: Domain; readonly uses: readonly string[] },
): Promise<string | undefined> {
  if (!isKeyDomain(domain) || caller.principal.policy === undefined) return undefined;
  const key = await core.catalog.encryption.ofDomain(domain);
  if (key?.manager !== "customer") return undefined;
  const resourceId = keyArn(core, key);
  return findDenial(
    core,
    caller,
    uses.map((action) => ({ action, resourceId })),
  );
}

const REASONS: Readonly<Record<Exclude<Decision, "allowed">, (action: string) => string>> = {
  "not-allowed": (action) => `because no identity-based policy allows the ${action} action`,
  "denied-explicitly": () => "with an explicit deny in an identity-based policy",
};

/**
 * The name of a snapshot or an image in policies; its account field is empty, as on AWS. Other
 * things are named by their ARN already.
 */
export function resourceArn(region: string, id: string): string {
  if (id.startsWith("arn:")) return id;
  return `arn:aws:ec2:${region}::${id.startsWith("ami-") ? "image" : "snapshot"}/${id}`;
}

async function contextOf(
  core: Core,
  { principal, sourceIp }: Caller,
  { keys = {}, tags = [], resourceId }: Access,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const context = new Map<string, string[]>();
  const add = (name: string, value: string | undefined) => {
    if (value === undefined) return;
    const key = name.toLowerCase();
    context.set(key, [...(context.get(key) ?? []), value]);
  };
  add("aws:CurrentTime", formatTimeMs(core.clock.nowMs()));
  add("aws:SourceIp", sourceIp);
  for (const [name, value] of Object.entries(keys)) add(name, value);
  for (const { Key, Value } of tags) {
    add(`aws:RequestTag/${Key}`, Value);
    add("aws:TagKeys", Key);
  }
  // Only of the caller's own snapshots: another account's must look like one that is not there.
  const resource = resourceId && (await findOwned(core, principal.account, resourceId));
  if (!resource) return context;
  add("aws:ResourceAccount", resource.account);
  for (const { Key, Value } of resource.tags) {
    add(`aws:ResourceTag/${Key}`, Value);
    add(`ec2:ResourceTag/${Key}`, Value);
  }
  return context;
}
