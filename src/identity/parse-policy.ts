import { wildcardPattern } from "../base/wildcard.ts";
import { POLICY_CHARACTERS_MAX } from "../model/limits.ts";
import { type Condition, readCondition } from "./condition.ts";
import type { Policy, Statement } from "./policy.ts";

/** A policy that is refused; the message names the place, as in `Statement[2].Condition`. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
}

type JsonObject = Readonly<Record<string, unknown>>;

const VERSIONS = ["2012-10-17", "2008-10-17"];
const POLICY_MEMBERS = ["Version", "Id", "Statement"];
const STATEMENT_MEMBERS = [
  "Sid",
  "Effect",
  "Action",
  "NotAction",
  "Resource",
  "NotResource",
  "Condition",
];

/** Condition keys that requests can have here, in lower case; `/*` stands for a tag's key. */
const CONDITION_KEYS = [
  "aws:currenttime",
  "aws:requesttag/*",
  "aws:resourceaccount",
  "aws:resourcetag/*",
  "aws:sourceip",
  "aws:tagkeys",
  "aws:tokenissuetime",
  "ebs:description",
  "ebs:parentsnapshot",
  "ebs:volumesize",
  "ec2:resourcetag/*",
  "kms:calleraccount",
  // Requests to make, list and revoke grants alone have it, and there are none here.
  "kms:grantisforawsresource",
  "kms:viaservice",
].map(wildcardPattern);

/** Services whose actions this one carries out. */
const SERVICES = ["ebs", "ec2", "kms", "sts"];

/**
 * Reads a policy in the JSON of IAM, as it is attached to an access key. Throws a `PolicyError`
 * for anything not understood: a part passed over could allow what its writer meant to forbid.
 */
export function parsePolicy(text: string): Policy {
  if (text.replace(/\s+/g, "").length > POLICY_CHARACTERS_MAX) {
    throw new PolicyError(`The policy is longer than ${POLICY_CHARACTERS_MAX} characters`);
  }
  const value = parseJson(text);
  const policy = objectAt("The policy", value, POLICY_MEMBERS);
  refuseRepeatedNames(text, value);
  const { Version = VERSIONS[1], Id = "", Statement } = policy;
  if (!VERSIONS.includes(Version as string)) {
    throw new PolicyError(`Version: must be one of ${VERSIONS.join(", ")}`);
  }
  if (typeof Id !== "string") throw new PolicyError("Id: must be a text");
  if (!Array.isArray(Statement)) return { statements: [readStatement("Statement", Statement)] };
  if (Statement.length === 0) throw new PolicyError("Statement: there is none");
  return { statements: Statement.map((each, i) => readStatement(`Statement[${i}]`, each)) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new PolicyError("The policy is not valid JSON");
  }
}

function objectAt(place: string, value: unknown, members?: readonly string[]): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new PolicyError(`${place}: must be a JSON object`);
  }
  const unknown = members && Object.keys(value).find((name) => !members.includes(name));
  if (unknown === undefined) return value as JsonObject;
  throw new PolicyError(`${place}: '${shorten(unknown)}' is not understood`);
}

/** JSON keeps the last of two members of one name; the first would be lost without a word. */
function refuseRepeatedNames(text: string, value: unknown): void {
  const kept = new Map<string, number>();
  countNames(value, (name) => kept.set(name, (kept.get(name) ?? 0) + 1));
  // The text is valid JSON, so a literal before a colon is a name and every other is a value.
  for (const [, literal = "", colon] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*(:)?/g)) {
    if (colon === undefined) continue;
    const name = JSON.parse(literal) as string;
    const left = (kept.get(name) ?? 0) - 1;
    if (left < 0) throw new PolicyError(`'${shorten(name)}' is given twice in one object`);
    kept.set(name, left);
  }
}

function countNames(value: unknown, onName: (name: string) => void): void {
  if (typeof value !== "object" || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    if (!Array.isArray(value)) onName(name);
    countNames(member, onName);
  }
}

function readStatement(place: string, value: unknown): Statement {
  const statement = objectAt(place, value, STATEMENT_MEMBERS);
  const { Effect: effect, Sid = "", Condition: conditions = {} } = statement;
  if (effect !== "Allow" && effect !== "Deny") {
    throw new PolicyError(`${place}.Effect: must be Allow or Deny`);
  }
  if (typeof Sid !== "string") throw new PolicyError(`${place}.Sid: must be a text`);
  const actions = readPatterns(place, statement, "Action");
  const resources = readPatterns(place, statement, "Resource");
  // A statement about other services' actions never matches here, whatever its conditions say.
  const isForeign = !actions.isNot && actions.texts.every(isOfOtherService);
  return {
    effect,
    coversAction: actions.covers,
    coversResource: resources.covers,
    conditions: readConditions(`${place}.Condition`, conditions, isForeign),
  };
}

interface Patterns {
  readonly isNot: boolean;
  readonly texts: readonly string[];
  readonly covers: (text: string) => boolean;
}

/** `Action` or `NotAction`, `Resource` or `NotResource`: exactly one of the two. */
function readPatterns(place: string, statement: JsonObject, name: "Action" | "Resource"): Patterns {
  const isNot = statement[`Not${name}`] !== undefined;
  if (isNot === (statement[name] !== undefined)) {
    throw new PolicyError(`${place}: needs either ${name} or Not${name}`);
  }
  const member = isNot ? `Not${name}` : name;
  const isAction = name === "Action";
  const texts = textsAt(`${place}.${member}`, statement[member]);
  const bad = texts.find((text) => !(isAction ? ACTION : RESOURCE).test(text));
  if (bad !== undefined) {
    const wanted = isAction ? "an action such as ebs:PutSnapshotBlock" : "an ARN";
    throw new PolicyError(`${place}.${member}: '${shorten(bad)}' is not ${wanted}, nor *`);
  }
  // Actions are not case-sensitive, ARNs are.
  const fold = (text: string) => (isAction ? text.toLowerCase() : text);
  const patterns = texts.map((text) => wildcardPattern(fold(text)));
  const covers = (text: string) => patterns.some((each) => each.test(fold(text))) !== isNot;
  return { isNot, texts, covers };
}

const ACTION = /^(\*|[A-Za-z0-9*?-]{1,64}:[A-Za-z0-9*?]{1,128})$/;
const RESOURCE = /^(\*|arn:[^\s${}]{1,1000})$/;

function isOfOtherService(action: string): boolean {
  const service = action.toLowerCase().split(":")[0] ?? "";
  return !/[*?]/.test(service) && !SERVICES.includes(service);
}

function readConditions(place: string, value: unknown, isForeign: boolean): Condition[] {
  return Object.entries(objectAt(place, value)).flatMap(([operator, keys]) =>
    Object.entries(objectAt(`${place}.${shorten(operator)}`, keys)).map(([key, wanted]) => {
      const at = `${place}.${shorten(operator)}.${shorten(key)}`;
      if (!isForeign && !CONDITION_KEYS.some((known) => known.test(key.toLowerCase()))) {
        throw new PolicyError(`${at}: this condition key is not understood`);
      }
      const condition = readCondition(operator, key, textsAt(at, wanted));
      if (condition === "unknown operator") {
        throw new PolicyError(`${place}: the operator '${shorten(operator)}' is not understood`);
      }
      if (!("badValue" in condition)) return condition;
      throw new PolicyError(`${at}: '${shorten(condition.badValue)}' makes no sense here`);
    }),
  );
}

/** One text or a list of them; numbers and truth values are read as IAM reads them: as texts. */
function textsAt(place: string, value: unknown): string[] {
  const values = Array.isArray(value) ? value : [value];
  if (values.length === 0) throw new PolicyError(`${place}: the list is empty`);
  return values.map((each: unknown) => {
    if (!["string", "number", "boolean"].includes(typeof each)) {
      throw new PolicyError(`${place}: must be a text or a list of texts`);
    }
    const text = String(each);
    if (!text.includes("${")) return text;
    throw new PolicyError(`${place}: policy variables are not supported: '${shorten(text)}'`);
  });
}

function shorten(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}…` : text;
}
