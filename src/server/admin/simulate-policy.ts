import { formatTimeMs } from "../../base/clock.ts";
import { nextTurn } from "../../base/next-turn.ts";
import { decisionOf, matchingStatementsOf, type Policy } from "../../identity/policy.ts";
import type { AccountId } from "../../model/ids.ts";
import { SIMULATED_PAIRS_COUNT_MAX } from "../../model/limits.ts";
import type { Core } from "../../snapshots/core.ts";
import {
  readSimulatePolicyRequest,
  type SimulatePolicyRequest,
  type SimulationResult,
  writeSimulatePolicyResponse,
} from "../../wire/admin/simulate-policy.ts";
import { isRestoration, KEY_USES, resourceArn, resourceContext } from "../access/authorize.ts";
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
  const { Actions = POLICY_ACTIONS, Resources = ["*"] } = input;
  checkPairs(Actions, Resources);
  const Results: SimulationResult[] = [];
  for (const named of Resources) {
    const { arn: Resource, id } = resourceOf(core, named);
    const contextFor = async (action: string) => {
      const ofResource =
        id === undefined ? [] : await resourceContext(core, account, { action, resourceId: id });
      return contextOf(core, input, ofResource);
    };
    const statements = policy && (await statementsOf(policy, { Actions, Resource, contextFor }));
    for (const [at, Action] of Actions.entries()) {
      const Statements = statements?.[at] ?? [];
      const Decision = policy ? DECISIONS[decisionOf(policy, Statements)] : "allowed";
      Results.push({ Action, Resource, Decision, Statements });
    }
    // The longest policy and the most values take tens of milliseconds for a resource.
    await nextTurn();
  }
  return writeSimulatePolicyResponse({ HasPolicy: policy !== undefined, Results });
};

/** The answer has one entry for each action on each resource. */
function checkPairs({ length: actions }: readonly string[], { length }: readonly string[]): void {
  const count = actions * length;
  if (count <= SIMULATED_PAIRS_COUNT_MAX) return;
  const message =
    `${actions} actions on ${length} resources are ${count} questions; one simulation answers ` +
    `${SIMULATED_PAIRS_COUNT_MAX}: name fewer of 'Actions' or 'Resources'`;
  throw fault(400, "ValidationException", message);
}

type Context = ReadonlyMap<string, readonly string[]>;

/** Places of the statements that speak of each action on one resource. */
async function statementsOf(
  policy: Policy,
  question: {
    readonly Actions: readonly string[];
    readonly Resource: string;
    readonly contextFor: (action: string) => Promise<Context>;
  },
): Promise<readonly (readonly number[])[]> {
  const { Actions: actions, Resource: resource, contextFor } = question;
  const context = await contextFor("");
  const statements = matchingStatementsOf(policy, { actions, resource, context });
  const restoration = actions.find(isRestoration);
  if (restoration === undefined) return statements;
  // Its resource is one that no other action finds.
  const restoring = { actions: [restoration], resource, context: await contextFor(restoration) };
  const [ofRestoration = []] = matchingStatementsOf(policy, restoring);
  return statements.map((each, at) => (isRestoration(actions[at] ?? "") ? ofRestoration : each));
}

/** What a request would say of itself; what is given stands in the place of what would be there. */
function contextOf(
  core: Core,
  { ContextEntries = [] }: SimulatePolicyRequest,
  ofResource: Iterable<readonly [name: string, values: readonly string[]]>,
): Context {
  const now: [string, string[]] = ["aws:currenttime", [formatTimeMs(core.clock.nowMs())]];
  const given = ContextEntries.map(({ Name, Values }) => [Name.toLowerCase(), Values] as const);
  return new Map([now, ...ofResource, ...given]);
}

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
