import { formatTimeMs } from "../../base/clock.ts";
import { type AccountId, parseAccountId } from "../../model/ids.ts";
import {
  FILTER_PATTERN_CHARACTERS_MAX,
  FILTER_VALUE_CHARACTERS_MAX,
  FILTER_VALUES_COUNT_MAX,
  PERMISSION_ENTRIES_COUNT_MAX,
  TAG_KEY_CHARACTERS_MAX,
  TAG_VALUE_CHARACTERS_MAX,
  TAGS_COUNT_MAX,
} from "../../model/limits.ts";
import type { Grantee, Tag } from "../../model/snapshot.ts";
import { type QueryParameters, queryFault } from "./query.ts";

/* Members that several EC2 actions share. */

/** A filter: the values are alternatives, several filters must all match. */
export interface Filter {
  readonly Name: string;
  readonly Values: readonly string[];
}

/** `Filter.N.Name` with `Filter.N.Value.M`. */
export function readFilters(parameters: QueryParameters): Filter[] {
  const filters = parameters.items("Filter", (prefix) => {
    const Name = parameters.get(`${prefix}.Name`);
    return Name === undefined ? undefined : { Name, Values: parameters.list(`${prefix}.Value`) };
  });
  checkFilterValues(filters.flatMap(({ Values }) => Values));
  return filters;
}

/** The bounds of EC2, in its words, and one of ours: patterns cost far more than plain texts. */
function checkFilterValues(values: readonly string[]): void {
  const longest = values.reduce((most, { length }) => Math.max(most, length), 0);
  if (longest > FILTER_VALUE_CHARACTERS_MAX) {
    throw filterLimit(`length for a filter value is ${FILTER_VALUE_CHARACTERS_MAX} characters`);
  }
  if (values.length > FILTER_VALUES_COUNT_MAX) {
    const bound = `is ${FILTER_VALUES_COUNT_MAX}`;
    throw filterLimit(`number of filter values specified on a single call ${bound}`);
  }
  const patterns = values.filter((value) => /[*?]/.test(value));
  if (patterns.join("").length > FILTER_PATTERN_CHARACTERS_MAX) {
    const bound = `${FILTER_PATTERN_CHARACTERS_MAX} characters`;
    throw filterLimit(`length of all filter values with wildcards is ${bound}`);
  }
}

function filterLimit(bound: string) {
  return queryFault(400, "FilterLimitExceeded", `The maximum ${bound}`);
}

/** A parameter that must be there. */
export function required(parameters: QueryParameters, name: string): string {
  const value = parameters.get(name);
  if (value) return value;
  throw queryFault(400, "MissingParameter", `The request must contain the parameter ${name}`);
}

/** An optional time, in milliseconds since 1970. */
export function readTime(parameters: QueryParameters, name: string): number | undefined {
  const text = parameters.get(name);
  if (text === undefined) return undefined;
  const timeMs = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timeMs)) throw invalidValue(name, text, "Expecting an ISO 8601 time.");
  return timeMs;
}

/** The tags that `TagSpecification.N` wants on a new resource of that type. */
export function readTagSpecifications(parameters: QueryParameters, resourceType: string): Tag[] {
  return readTagSpecificationsOf(parameters, [resourceType])(resourceType);
}

/** The same where an action makes resources of several types: answers the tags of each type. */
export function readTagSpecificationsOf(
  parameters: QueryParameters,
  resourceTypes: readonly string[],
): (resourceType: string) => Tag[] {
  const specifications = readAllTagSpecifications(parameters);
  const other = specifications.find(({ type }) => !resourceTypes.includes(type));
  if (other) {
    const type = other.type.slice(0, 64);
    const message = `'${type}' is not a valid taggable resource type for this operation.`;
    throw queryFault(400, "InvalidParameterValue", message);
  }
  return (resourceType) =>
    specifications.flatMap(({ type, tags }) => (type === resourceType ? tags : []));
}

/** Tags that are wanted on new resources of a type. */
export interface TagSpecification {
  readonly type: string;
  readonly tags: readonly Tag[];
}

/**
 * Types of resources that one request may want tags on (ours): a new image and its snapshots. Each
 * may stand in a specification of its own.
 */
const TAG_SPECIFICATIONS_COUNT_MAX = 2;

/** Every `TagSpecification.N`, whether the action makes resources of that type or not. */
export function readAllTagSpecifications(parameters: QueryParameters): TagSpecification[] {
  const read = (prefix: string) => {
    const type = parameters.get(`${prefix}.ResourceType`);
    if (type === undefined) return undefined;
    const tags = readTagPatterns(parameters, `${prefix}.Tag`);
    return { type, tags: tags.map(({ Key, Value = "" }) => ({ Key, Value })) };
  };
  return parameters.items("TagSpecification", read, TAG_SPECIFICATIONS_COUNT_MAX);
}

/** A tag, or a tag to take away: then it may come without a value. */
export interface TagPattern {
  readonly Key: string;
  readonly Value: string | undefined;
}

/** `<name>.N.Key` with `<name>.N.Value`, at most as many and as long as a resource may carry. */
export function readTagPatterns(parameters: QueryParameters, name: string): TagPattern[] {
  const read = (prefix: string) => {
    const Key = parameters.get(`${prefix}.Key`);
    if (Key === undefined) return undefined;
    const Value = parameters.get(`${prefix}.Value`);
    checkLength(`${prefix}.Key`, Key, TAG_KEY_CHARACTERS_MAX);
    checkLength(`${prefix}.Value`, Value ?? "", TAG_VALUE_CHARACTERS_MAX);
    return { Key, Value };
  };
  return parameters.items(name, read, TAGS_COUNT_MAX);
}

function checkLength(name: string, { length }: string, lengthMax: number): void {
  if (length <= lengthMax) return;
  const message = `${name} has ${length} characters; it may have at most ${lengthMax}`;
  throw queryFault(400, "InvalidParameterValue", message);
}

/** Leave to give and to take away. */
export interface GranteesChange {
  readonly add: readonly Grantee[];
  readonly remove: readonly Grantee[];
}

/**
 * Who is given leave and who loses it, in both spellings of EC2: `<member>.Add.N.UserId` and
 * `OperationType` with `UserId.N` and `UserGroup.N`.
 */
export function readGranteesChange(parameters: QueryParameters, member: string): GranteesChange {
  const entries = (name: string) =>
    parameters.items(name, (prefix) => {
      const account = parameters.get(`${prefix}.UserId`);
      if (account !== undefined) return grantedAccount(account);
      const group = parameters.get(`${prefix}.Group`);
      return group === undefined ? undefined : grantedGroup(group);
    });
  const listed = [
    ...parameters.list("UserId").map(grantedAccount),
    ...parameters.list("UserGroup").map(grantedGroup),
  ];
  const operation = listed.length === 0 ? "add" : required(parameters, "OperationType");
  if (operation !== "add" && operation !== "remove") {
    throw invalidValue("OperationType", operation, "Expecting add or remove.");
  }
  const change = {
    add: [...entries(`${member}.Add`), ...(operation === "add" ? listed : [])],
    remove: [...entries(`${member}.Remove`), ...(operation === "remove" ? listed : [])],
  };
  checkCount(change);
  return change;
}

function checkCount({ add, remove }: GranteesChange): void {
  const count = add.length + remove.length;
  if (count > PERMISSION_ENTRIES_COUNT_MAX) {
    const bound = `more than the ${PERMISSION_ENTRIES_COUNT_MAX} that one request may name`;
    throw queryFault(400, "InvalidParameterValue", `${count} accounts and groups are ${bound}`);
  }
}

function grantedAccount(text: string): AccountId {
  const account = parseAccountId(text);
  if (account) return account;
  throw queryFault(400, "InvalidUserID.Malformed", `Invalid user id: "${text.slice(0, 64)}"`);
}

function grantedGroup(text: string): Grantee {
  if (text === "all") return text;
  throw invalidValue("UserGroup", text, "Expecting all.");
}

/** The fault of a parameter that has none of its possible values. */
export function invalidValue(name: string, value: string, expected: string) {
  const shown = value.slice(0, 64);
  const message = `Value (${shown}) for parameter ${name} is invalid. ${expected}`;
  return queryFault(400, "InvalidParameterValue", message);
}

/** The elements of grantees; none is an empty list. */
export function granteeItems(grantees: readonly Grantee[]): object {
  return {
    item: grantees.map((grantee) => (grantee === "all" ? { group: "all" } : { userId: grantee })),
  };
}

/** The `tagSet` element, left out where there are no tags, as EC2 leaves it out. */
export function tagSet(tags: readonly Tag[]): object {
  if (tags.length === 0) return {};
  return { tagSet: { item: tags.map(({ Key, Value }) => ({ key: Key, value: Value })) } };
}

/** The `nextToken` element, left out on the last page. */
export function nextTokenElement(nextToken: string | undefined): object {
  return nextToken === undefined ? {} : { nextToken };
}

/** Elements of times; those without a value are left out. */
export function timeElements(times: Readonly<Record<string, number | undefined>>): object {
  const given = Object.entries(times).flatMap(([name, timeMs]) =>
    timeMs === undefined ? [] : [[name, formatTimeMs(timeMs)]],
  );
  return Object.fromEntries(given);
}
