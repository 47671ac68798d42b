import { formatTimeMs } from "../../base/clock.ts";
import { decide, matchingStatements, type Policy } from "../../identity/policy.ts";
import type { AccountId } from "../../model/ids.ts";
import type { Core } from "../../snapshots/core.ts";
import {
  readSimulatePolicyRequest,
  type SimulatePolicyRequest,
  type SimulationResult,
  writeSimulatePolicyResponse,
} from "../../wire/admin/simulate-policy.ts";
import { KEY_USES, resourceArn, resourceContext } from "../access/authorize.ts";
import { QUERY_ACTION_NAMES } from "../ec2/query-actions.ts";
import { KMS_OPERATION_NAMES } from "../kms/kms-operations.ts";
import type { AdminCall, AdminOperation } from "./admin-call.ts";
import { checkPolicy, fault, findAccessKey } from "./managed-keys.ts";

/** Every action that a policy is asked about. Those of ours ask about one of these. */
export const POLICY_ACTIONS: readonly string[] = [
  ...["StartSnapshot", "PutSnapshotBlock", "CompleteSnapshot"].map((name) => `ebs:${name}`),
  ...["GetSnapshotBlock", "ListSnapshotBlocks", "ListChangedBlocks"].map((name) => `ebs:${name}`),
  ...QUERY_ACTION_NAMES.ec2.map((name) => `ec2:${name}`),
  ...KMS_OPERATION_NAMES.map((name) => `kms:${name}`),
  ...Object.values(KEY_USES).flat(),
  ...["sts:AssumeRole", "sts:GetFederationToken"],
].filter((name, at, all) => all.indexOf(name) === at);

const DECISIONS = {
  allowed: "allowed",
  "denied-explicitly": "explicitDeny",
  "not-allowed": "implicitDeny",
} as const;

/**
 * Says what a policy would answer to actions on resources, by the very evaluation that requests go
 * through. Nothing is done, and nothing is told of what the caller does not own: a resource of
 * another account has no tags here, as it has none when a request names it.
 */
export const simulatePolicy: AdminOperation = async (core, call) => {
  const input = readSimulatePolicyRequest(call.request);
  const { policy, account } = await policyOf(core, call, input);
  const { Actions = POLICY_ACTIONS, Resources = ["*"], ContextEntries = [] } = input;
  const Results: SimulationResult[] = [];
  for (const named of Resources) {
    const { arn: Resource, id } = resourceOf(core, named);
    const context = new Map<string, readonly string[]>();
    const add = (name: string, values: readonly string[]) =>
      context.set(name, [...(context.get(name) ?? []), ...values]);
    add("aws:currenttime", [formatTimeMs(core.clock.nowMs())]);
    const ofResource = id === undefined ? [] : await resourceContext(core, account, id);
    for (const [name, values] of ofResource) add(name, values);
    // What is given stands in the place of what would be there.
    for (const { Name, Values } of ContextEntries) context.set(Name.toLowerCase(), Values);
    for (const Action of Actions) {
      const request = { action: Action, resource: Resource, context };
      const Decision = policy ? DECISIONS[decide(policy, request)] : "allowed";
      const Statements = policy ? matchingStatements(policy, request) : [];
      Results.push({ Action, Resource, Decision, Statements });
    }
  }
  return writeSimulatePolicyResponse({ HasPolicy: policy !== undefined, Results });
};

/** The policy that is meant, and the account whose resources it is about. */
async function policyOf(
  core: Core,
  call: AdminCall,
  { PolicyDocument, AccessKeyId }: SimulatePolicyRequest,
): Promise<{ readonly policy: Policy | undefined; readonly account: AccountId }> {
  if ((PolicyDocument === undefined) === (AccessKeyId === undefined)) {
    const message = "Give either PolicyDocument, a policy's text, or the AccessKeyId that has one";
    throw fault(400, "ValidationException", message);
  }
  if (PolicyDocument !== undefined) {
    return { policy: checkPolicy(PolicyDocument), account: call.principal.account };
  }
  const { policy, account } = await findAccessKey(core, call, AccessKeyId);
  return { policy: policy === undefined ? undefined : checkPolicy(policy), account };
}

/** What is named by an id or an ARN; the id where it is a snapshot or an image of this region. */
function resourceOf(core: Core, named: string) {
  if (/^(snap|ami)-/.test(named)) return { arn: resourceArn(core.region, named), id: named };
  const id = named.slice(named.lastIndexOf("/") + 1);
  return { arn: named, id: resourceArn(core.region, id) === named ? id : undefined };
}
