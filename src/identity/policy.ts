import type { Condition } from "./condition.ts";

/** One thing that somebody wants to do. */
export interface AccessRequest {
  /** For example `ebs:PutSnapshotBlock`. */
  readonly action: string;
  /** ARN of what it is done to, or `*` for actions that are not done to one thing. */
  readonly resource: string;
  /** Values of condition keys, by name in lower case; a key without a value is not there. */
  readonly context: ReadonlyMap<string, readonly string[]>;
}

/** A statement as it is evaluated: its patterns are compiled. */
export interface Statement {
  readonly effect: "Allow" | "Deny";
  readonly coversAction: (action: string) => boolean;
  readonly coversResource: (resource: string) => boolean;
  /** All of them must hold. */
  readonly conditions: readonly Condition[];
}

/** What an access key may do, made by `parsePolicy`. */
export interface Policy {
  readonly statements: readonly Statement[];
}

/** What a policy says to a request. */
export type Decision = "allowed" | "denied-explicitly" | "not-allowed";

/**
 * Decides as IAM does: a Deny that matches wins over every Allow, and what nothing allows is
 * denied. The order of statements says nothing. Pure, synchronous, and linear in the policy.
 */
export function decide(policy: Policy, request: AccessRequest): Decision {
  return decisionOf(policy, matchingStatements(policy, request));
}

/** The decision that the statements at these places in the policy make together. */
export function decisionOf({ statements }: Policy, places: readonly number[]): Decision {
  if (places.some((at) => statements[at]?.effect === "Deny")) return "denied-explicitly";
  return places.length > 0 ? "allowed" : "not-allowed";
}

/** The places in the policy, from 0, of the statements that speak of the request. */
export function matchingStatements({ statements }: Policy, request: AccessRequest): number[] {
  return statements.flatMap((statement, at) => (matches(statement, request) ? [at] : []));
}

/** What a request asks for, but not yet of which thing. */
export type ResourcelessRequest = Omit<AccessRequest, "resource">;

/**
 * What of a policy is still to be asked once action and context are known, for each of the many
 * things that one request may name: it decides as the whole policy does for that request. The
 * context need not have yet what only the resource can tell.
 */
export function narrowPolicy({ statements }: Policy, request: ResourcelessRequest): Policy {
  const isOpen = (statement: Statement) =>
    statement.coversAction(request.action) &&
    holdAll(statement, request.context, (condition) => !isOfResource(condition));
  return {
    statements: statements.filter(isOpen).map((statement) => ({
      ...statement,
      coversAction: () => true,
      conditions: statement.conditions.filter(isOfResource),
    })),
  };
}

/** One thing, and several actions on it that are asked about at once. */
export interface ManyActionsRequest extends Omit<AccessRequest, "action"> {
  readonly actions: readonly string[];
}

/** `matchingStatements` of each action; what they share is asked once. */
export function matchingStatementsOf(
  { statements }: Policy,
  { actions, resource, context }: ManyActionsRequest,
): number[][] {
  const places = statements.flatMap((statement, at) =>
    statement.coversResource(resource) && holdAll(statement, context) ? [at] : [],
  );
  return actions.map((action) => places.filter((at) => statements[at]?.coversAction(action)));
}

/** True where a condition of it goes by what only the resource itself can tell: its tags, whose. */
export function asksAboutResource({ statements }: Policy): boolean {
  return statements.some(({ conditions }) => conditions.some(isOfResource));
}

function isOfResource({ key }: Condition): boolean {
  return /^(aws|ec2):resource/.test(key);
}

function matches(statement: Statement, { action, resource, context }: AccessRequest): boolean {
  const { coversAction, coversResource } = statement;
  return coversAction(action) && coversResource(resource) && holdAll(statement, context);
}

/** True when every condition that is asked holds; all of them, unless told otherwise. */
function holdAll(
  { effect, conditions }: Statement,
  context: AccessRequest["context"],
  isAsked: (condition: Condition) => boolean = () => true,
): boolean {
  return conditions.every(
    (condition) => !isAsked(condition) || condition.holds(context.get(condition.key) ?? [], effect),
  );
}
