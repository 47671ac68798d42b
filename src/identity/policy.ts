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
export function decide({ statements }: Policy, request: AccessRequest): Decision {
  const matching = statements.filter((statement) => matches(statement, request));
  if (matching.some(({ effect }) => effect === "Deny")) return "denied-explicitly";
  return matching.length > 0 ? "allowed" : "not-allowed";
}

function matches(statement: Statement, { action, resource, context }: AccessRequest): boolean {
  const { effect, coversAction, coversResource, conditions } = statement;
  if (!coversAction(action) || !coversResource(resource)) return false;
  return conditions.every(({ key, holds }) => holds(context.get(key) ?? [], effect));
}
