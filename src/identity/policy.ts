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
  const matching = matchingStatements(policy, request).map((at) => policy.statements[at]);
  if (matching.some((statement) => statement?.effect === "Deny")) return "denied-explicitly";
  return matching.length > 0 ? "allowed" : "not-allowed";
}

/** The places in the policy, from 0, of the statements that speak of the request. */
export function matchingStatements({ statements }: Policy, request: AccessRequest): number[] {
  return statements.flatMap((statement, at) => (matches(statement, request) ? [at] : []));
}

/** True where a condition of it goes by what only the resource itself can tell: its tags, whose. */
export function asksAboutResource({ statements }: Policy): boolean {
  const isAsked = ({ key }: Condition) => /^(aws|ec2):resource/.test(key);
  return statements.some(({ conditions }) => conditions.some(isAsked));
}

function matches(statement: Statement, { action, resource, context }: AccessRequest): boolean {
  const { effect, coversAction, coversResource, conditions } = statement;
  if (!coversAction(action) || !coversResource(resource)) return false;
  return conditions.every(({ key, holds }) => holds(context.get(key) ?? [], effect));
}
