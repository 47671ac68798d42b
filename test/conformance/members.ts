import { randomUUID } from "node:crypto";
import type { RequestParts } from "../../src/wire/message.ts";
import {
  changedParts,
  completeParts,
  getParts,
  listParts,
  putParts,
  startParts,
} from "../support/operations.ts";
import { brief } from "./_caller.ts";
import { Group } from "./_check.ts";
import { A, type Context, UNKNOWN } from "./_context.ts";
import { holds } from "./_expect.ts";
import { constrains, constrainsAny } from "./_refusal.ts";

/*
 * Every bound of every member of every operation. Only the member is wrong; the snapshot, where
 * the request names one, does not exist, so that the answer shows that bounds come first.
 */

const group = new Group("1.3 bounds of members");
/** The checks of this file. */
export const members = group;

type Build = (value: string | number | undefined) => RequestParts;

interface Member {
  readonly operation: string;
  /** As the framework names it. */
  readonly name: string | RegExp;
  readonly build: Build;
  readonly required?: boolean;
  readonly min?: number;
  readonly max?: number;
  readonly maxLength?: number;
  /** Its source is shown in the error. */
  readonly pattern?: RegExp;
  /** Values that break the pattern. */
  readonly broken?: readonly string[];
  readonly oneOf?: string;
}

const SNAPSHOT_ID = {
  maxLength: 64,
  pattern: /^snap-[0-9a-f]+$/,
  broken: ["snap-THING", "snap-", "vol-0123456789abcdef0"],
};
const CHECKSUM = { maxLength: 64, pattern: /^[A-Za-z0-9+/=]+$/, broken: ["?"] };
const TOKEN = { maxLength: 256, pattern: /^[A-Za-z0-9+/=_-]+$/, broken: ["", "a b"] };
const at = { snapshotId: UNKNOWN, blockIndex: 0 };

const start =
  (member: string): Build =>
  (value) =>
    startParts({ VolumeSize: 1, [member]: value });
const tag =
  (member: string): Build =>
  (value) =>
    startParts({ VolumeSize: 1, Tags: [{ Key: "k", Value: "v", [member]: value }] });
const putHeader =
  (header: string): Build =>
  (value) =>
    putParts(at, A, { [header]: value });
const complete =
  (header: string): Build =>
  (value) =>
    completeParts(UNKNOWN, 0, { [header]: value });
const list =
  (name: string): Build =>
  (value) =>
    listParts(UNKNOWN, { [name]: value });
const changed =
  (name: string): Build =>
  (value) =>
    changedParts(UNKNOWN, UNKNOWN, { [name]: value });
const pageToken = { name: /(?:nextToken|pageToken)/, ...TOKEN };
const maxResults = { name: "maxResults", min: 100, max: 10_000 };
const startingBlockIndex = { name: "startingBlockIndex", min: 0 };

const START: readonly Omit<Member, "operation">[] = [
  { name: "volumeSize", build: start("VolumeSize"), required: true, min: 1 },
  { name: "parentSnapshotId", build: start("ParentSnapshotId"), ...SNAPSHOT_ID },
  { name: "tags.1.member.key", build: tag("Key"), maxLength: 127 },
  { name: "tags.1.member.value", build: tag("Value"), maxLength: 255 },
  {
    name: "description",
    build: start("Description"),
    maxLength: 255,
    pattern: /^[\S\s]+$/,
    broken: [""],
  },
  {
    name: "clientToken",
    build: start("ClientToken"),
    maxLength: 255,
    pattern: /^[\S]+$/,
    broken: ["", "a b"],
  },
  {
    name: "kmsKeyArn",
    build: start("KmsKeyArn"),
    maxLength: 2048,
    pattern: /.*arn:aws\[a-z.*/,
    broken: ["alias/key"],
  },
  { name: "timeout", build: start("Timeout"), min: 10, max: 4320 },
];
const PUT: readonly Omit<Member, "operation">[] = [
  {
    name: "snapshotId",
    build: (v) => putParts({ ...at, snapshotId: String(v) }, A),
    ...SNAPSHOT_ID,
  },
  { name: "blockIndex", build: (v) => putParts({ ...at, blockIndex: Number(v) }, A), min: 0 },
  { name: "dataLength", build: putHeader("x-amz-data-length"), required: true },
  { name: "progress", build: putHeader("x-amz-progress"), min: 0, max: 100 },
  { name: "checksum", build: putHeader("x-amz-checksum"), required: true, ...CHECKSUM },
  { name: "checksumAlgorithm", build: putHeader("x-amz-checksum-algorithm"), required: true },
];
const COMPLETE: readonly Omit<Member, "operation">[] = [
  { name: "snapshotId", build: (v) => completeParts(String(v), 0), ...SNAPSHOT_ID },
  {
    name: "changedBlocksCount",
    build: (v) => completeParts(UNKNOWN, undefined, { "x-amz-changedblockscount": v }),
    required: true,
    min: 0,
  },
  { name: "checksum", build: complete("x-amz-checksum"), ...CHECKSUM },
  { name: "checksumAlgorithm", build: complete("x-amz-checksum-algorithm"), oneOf: "SHA256" },
  {
    name: "checksumAggregationMethod",
    build: complete("x-amz-checksum-aggregation-method"),
    oneOf: "LINEAR",
  },
];
const GET: readonly Omit<Member, "operation">[] = [
  { name: "snapshotId", build: (v) => getParts(String(v), 0, "bm90"), ...SNAPSHOT_ID },
  { name: "blockIndex", build: (v) => getParts(UNKNOWN, Number(v), "bm90"), min: 0 },
  {
    name: "blockToken",
    build: (v) => getParts(UNKNOWN, 0, v === undefined ? v : String(v)),
    required: true,
    ...TOKEN,
  },
];
const LIST: readonly Omit<Member, "operation">[] = [
  { name: "snapshotId", build: (v) => listParts(String(v)), ...SNAPSHOT_ID },
  { ...pageToken, build: list("pageToken") },
  { ...maxResults, build: list("maxResults") },
  { ...startingBlockIndex, build: list("startingBlockIndex") },
];
const CHANGED: readonly Omit<Member, "operation">[] = [
  { name: "firstSnapshotId", build: (v) => changedParts(String(v), UNKNOWN), ...SNAPSHOT_ID },
  { name: "secondSnapshotId", build: (v) => changedParts(UNKNOWN, String(v)), ...SNAPSHOT_ID },
  { ...pageToken, build: changed("pageToken") },
  { ...maxResults, build: changed("maxResults") },
  { ...startingBlockIndex, build: changed("startingBlockIndex") },
];
const MEMBERS: Readonly<Record<string, typeof START>> = {
  StartSnapshot: START,
  PutSnapshotBlock: PUT,
  CompleteSnapshot: COMPLETE,
  GetSnapshotBlock: GET,
  ListSnapshotBlocks: LIST,
  ListChangedBlocks: CHANGED,
};

for (const [operation, list] of Object.entries(MEMBERS)) {
  for (const member of list) addMember({ operation, ...member });
}

function addMember(member: Member): void {
  const { required, min, max, maxLength, oneOf } = member;
  if (required) add(member, undefined, "not be null");
  if (min !== undefined) add(member, min - 1, `have value greater than or equal to ${min}`);
  if (max !== undefined) add(member, max + 1, `have value less than or equal to ${max}`);
  if (oneOf !== undefined) add(member, "SHA1", `satisfy enum value set: [${oneOf}]`);
  if (maxLength !== undefined) {
    add(member, tooLong(member, maxLength), `have length less than or equal to ${maxLength}`);
  }
  const { pattern } = member;
  if (pattern === undefined) return;
  for (const value of member.broken ?? []) {
    // The pattern of a key's ARN is shown as the service has it, which is not known to the letter.
    const text = member.name === "kmsKeyArn" ? /.*/ : pattern.source.replaceAll("\\/", "/");
    const must = typeof text === "string" ? text : text.source;
    const isKnown = typeof text === "string";
    const whole = `satisfy regular expression pattern: ${must}`;
    add(member, value, isKnown ? whole : new RegExp(whole));
  }
}

/** One character more than fits, and otherwise right. */
function tooLong({ name }: Member, maxLength: number): string {
  if (/snapshotId/i.test(String(name))) return `snap-${"0".repeat(maxLength - 4)}`;
  if (name === "kmsKeyArn") {
    const arn = "arn:aws:kms:us-east-1:123456789012:key/";
    return arn + "k".repeat(maxLength + 1 - arn.length);
  }
  return "t".repeat(maxLength + 1);
}

function add(member: Member, value: string | number | undefined, must: string | RegExp): void {
  const { operation, name, build } = member;
  const label = name instanceof RegExp ? "nextToken" : name;
  const shown = value === undefined ? "null" : short(String(value));
  const rule = (must instanceof RegExp ? must.source : must).split(":")[0] ?? "";
  const id = `1.3/${operation}.${label}=${shown}`;
  group.check(id, `${operation}: ${label} ${shown} must ${rule}.`, async ({ caller }) => {
    const answer = await caller.call(build(value));
    constrains(answer, { member: name, value: value === undefined ? null : String(value), must });
  });
}

function short(value: string): string {
  return value.length > 32 ? `${value.length} characters` : JSON.stringify(value);
}

const tagOf = (Key: string, Value: string) => ({ Tags: [{ Key, Value }] });
const ACCEPTED: readonly [says: string, input: () => object][] = [
  ["a volume of 1 GiB", () => ({ VolumeSize: 1 })],
  ["a volume of 65,536 GiB", () => ({ VolumeSize: 65_536 })],
  ["a description of 255 characters", () => ({ Description: "d".repeat(255) })],
  ["a description of spaces and line feeds", () => ({ Description: " \n\t" })],
  ["a client token of 255 characters", () => ({ ClientToken: randomUUID().padEnd(255, "x") })],
  ["a time-out of 10 minutes", () => ({ Timeout: 10 })],
  ["a time-out of 4,320 minutes", () => ({ Timeout: 4320 })],
  ["a tag key of 127 characters", () => tagOf("k".repeat(127), "")],
  ["a tag value of 255 characters", () => tagOf("k", "v".repeat(255))],
  [
    "50 tags",
    () => ({ Tags: Array.from({ length: 50 }, (_, i) => ({ Key: `k${i}`, Value: "" })) }),
  ],
];
for (const [says, input] of ACCEPTED) {
  group.check(`1.3/accepts ${says}`, `StartSnapshot accepts ${says}.`, async ({ caller }) => {
    const answer = await caller.start(input());
    holds(answer.status === 201, brief(answer), "201");
  });
}

const PROGRESS: Build = putHeader("x-amz-progress");
for (const progress of [0, 100]) {
  const id = `1.3/accepts progress ${progress}`;
  group.check(id, `PutSnapshotBlock accepts a progress of ${progress}.`, async (context) => {
    const path = `/snapshots/${context.id("pending")}/blocks/0`;
    const answer = await context.caller.call({ ...PROGRESS(progress), path });
    holds(answer.status === 201, brief(answer), "201");
  });
}

for (const maxResults of [100, 10_000]) {
  const accepts = async (context: Context, changedToo: boolean) => {
    const root = context.id("root");
    const answer = changedToo
      ? await context.caller.changed(root, root, { maxResults })
      : await context.caller.list(root, { maxResults });
    holds(answer.status === 200, brief(answer), "200");
  };
  for (const operation of ["ListSnapshotBlocks", "ListChangedBlocks"]) {
    const id = `1.3/${operation} accepts ${maxResults}`;
    group.check(id, `${operation} accepts MaxResults ${maxResults}.`, (context) =>
      accepts(context, operation === "ListChangedBlocks"),
    );
  }
}

const SEVERAL = "several members out of bounds";
const severalRow = group.check(
  "1.3/several",
  "Of several members out of bounds, one is reported.",
  async ({ caller }) => {
    const answer = await caller.list(UNKNOWN, { maxResults: 99, startingBlockIndex: -1 });
    constrainsAny(answer);
    holds(answer.text.includes('"1 validation error detected'), answer.text, "1 validation error");
  },
);
severalRow.or(SEVERAL, async ({ caller }) => {
  const answer = await caller.list(UNKNOWN, { maxResults: 99, startingBlockIndex: -1 });
  constrainsAny(answer);
  holds(/2 validation errors detected: .*; Value/.test(answer.text), answer.text, "both");
});
