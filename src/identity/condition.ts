import { type IpRange, ipRangeContains, parseIpRange } from "../base/ip-address.ts";
import { wildcardPattern } from "../base/wildcard.ts";

/** One operator, one key, and the values a policy gives, ready to be asked. */
export interface Condition {
  /** Name of the condition key in lower case: keys are not case-sensitive. */
  readonly key: string;
  /** True when the request's values of the key satisfy the condition; none: it has no such key. */
  readonly holds: (values: readonly string[], effect: "Allow" | "Deny") => boolean;
}

/** An operator by its bare name, such as `StringLike`. */
interface Operator {
  /** Reads a policy's value into a test of a request's value; undefined where it makes no sense. */
  readonly read: (wanted: string) => ((value: string) => boolean) | undefined;
  /** True for those that hold when no value fits, also because there is none. */
  readonly isNegated: boolean;
}

type Read = Operator["read"];

const equals: Read = (wanted) => (value) => value === wanted;
const equalsIgnoringCase: Read = (wanted) => {
  const lowered = wanted.toLowerCase();
  return (value) => value.toLowerCase() === lowered;
};
const like: Read = (wanted) => {
  const pattern = wildcardPattern(wanted);
  return (value) => pattern.test(value);
};

/** Each of the six parts of an ARN is matched by itself; the last may hold further colons. */
const arnLike: Read = (wanted) => {
  const patterns = partsOfArn(wanted)?.map(wildcardPattern);
  return (
    patterns &&
    ((value) => partsOfArn(value)?.every((part, i) => patterns[i]?.test(part) ?? false) ?? false)
  );
};

function partsOfArn(text: string): readonly string[] | undefined {
  return /^(arn):([^:]*):([^:]*):([^:]*):([^:]*):(.+)$/s.exec(text)?.slice(1);
}

/** Compares both sides as numbers; a side that is none compares with nothing. */
function compared(
  parse: (text: string) => number,
  compare: (value: number, wanted: number) => boolean,
): Read {
  return (text) => {
    const wanted = parse(text);
    return Number.isNaN(wanted) ? undefined : (value) => compare(parse(value), wanted);
  };
}

function parseNumber(text: string): number {
  return /^[+-]?[0-9]{1,15}(\.[0-9]{1,15})?$/.test(text) ? Number(text) : Number.NaN;
}

/** A date of ISO 8601 as the W3C profiles it, or seconds since 1970; answers milliseconds. */
function parseDate(text: string): number {
  if (/^[0-9]{1,11}$/.test(text) && text.length !== 4) return Number(text) * 1000;
  const time = "T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})";
  const isDate = new RegExp(`^[0-9]{4}(-[0-9]{2}(-[0-9]{2}(${time})?)?)?$`).test(text);
  // Some write the difference from UTC without a colon, which the parser does not take.
  return isDate ? Date.parse(text.replace(/([+-][0-9]{2})([0-9]{2})$/, "$1:$2")) : Number.NaN;
}

const isTruth: Read = (wanted) => {
  const lowered = wanted.toLowerCase();
  if (lowered !== "true" && lowered !== "false") return undefined;
  return (value) => value.toLowerCase() === lowered;
};

const inIpRange: Read = (wanted) => {
  const range = parseIpRange(wanted);
  return range && ((value) => isWithin(range, value));
};

function isWithin(range: IpRange, value: string): boolean {
  const address = parseIpRange(value);
  return address !== undefined && ipRangeContains(range, address);
}

const OPERATORS: ReadonlyMap<string, Operator> = new Map([
  ...pair("StringEquals", "StringNotEquals", equals),
  ...pair("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", equalsIgnoringCase),
  ...pair("StringLike", "StringNotLike", like),
  ...pair("ArnEquals", "ArnNotEquals", arnLike),
  ...pair("ArnLike", "ArnNotLike", arnLike),
  ...pair("IpAddress", "NotIpAddress", inIpRange),
  ["Bool", { read: isTruth, isNegated: false }],
  ...ordered("Numeric", parseNumber),
  ...ordered("Date", parseDate),
]);

function pair(name: string, negated: string, read: Read): [string, Operator][] {
  return [
    [name, { read, isNegated: false }],
    [negated, { read, isNegated: true }],
  ];
}

function ordered(kind: string, parse: (text: string) => number): [string, Operator][] {
  const positive = (name: string, compare: (value: number, wanted: number) => boolean) =>
    [`${kind}${name}`, { read: compared(parse, compare), isNegated: false }] as [string, Operator];
  return [
    ...pair(
      `${kind}Equals`,
      `${kind}NotEquals`,
      compared(parse, (a, b) => a === b),
    ),
    positive("LessThan", (a, b) => a < b),
    positive("LessThanEquals", (a, b) => a <= b),
    positive("GreaterThan", (a, b) => a > b),
    positive("GreaterThanEquals", (a, b) => a >= b),
  ];
}

/**
 * Makes a condition of an operator's full name (`ForAllValues:StringLikeIfExists`), a key, and the
 * policy's values, of which any may fit. Answers what is wrong with the operator or a value.
 */
export function readCondition(
  name: string,
  key: string,
  wanted: readonly string[],
): Condition | "unknown operator" | { readonly badValue: string } {
  const lowered = key.toLowerCase();
  if (name === "Null") return readNull(lowered, wanted);
  const parts = /^(ForAllValues:|ForAnyValue:)?([A-Za-z]+?)(IfExists)?$/.exec(name);
  const operator = OPERATORS.get(parts?.[2] ?? "");
  if (!operator) return "unknown operator";
  const tests: ((value: string) => boolean)[] = [];
  for (const text of wanted) {
    const test = operator.read(text);
    if (!test) return { badValue: text };
    tests.push(test);
  }
  const fits = (value: string) => tests.some((test) => test(value)) !== operator.isNegated;
  const quantifier = parts?.[1];
  const whenAbsent =
    parts?.[3] !== undefined || quantifier === "ForAllValues:"
      ? true
      : operator.isNegated && quantifier === undefined;
  return {
    key: lowered,
    holds(values, effect) {
      if (values.length === 0) return whenAbsent;
      if (quantifier === "ForAllValues:") return values.every(fits);
      if (quantifier === "ForAnyValue:") return values.some(fits);
      // Several values where one was expected: the careful reading of either effect.
      return effect === "Allow" ? values.every(fits) : values.some(fits);
    },
  };
}

/** `Null` asks whether the request has the key at all: "true" wants it absent. */
function readNull(key: string, wanted: readonly string[]): Condition | { badValue: string } {
  const badValue = wanted.find((text) => !/^(true|false)$/i.test(text));
  if (badValue !== undefined) return { badValue };
  const answers = new Set(wanted.map((text) => text.toLowerCase() === "true"));
  return { key, holds: (values) => answers.has(values.length === 0) };
}
