import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import * as sdk from "@aws-sdk/client-ec2";
import { ACTION_PARAMETERS } from "../../src/wire/ec2/parameters.ts";
import { actionParts, send, snapshotOf, start } from "../support/operations.ts";
import { startService } from "../support/service.ts";

/* The parameters of each EC2 action: those of AWS's model, and no others. */

const service = await startService({ after });

const SCHEMAS = new Map<string, unknown>(Object.entries(sdk));

/** What the SDK knows of an action's input; a list of names and a list of what they hold. */
type Schema = readonly unknown[];

/** The names that the SDK writes for what is below a member, as EC2's protocol says. */
function namesOf(schema: unknown, prefix: string): string[] {
  const inner = typeof schema === "function" ? (schema as () => unknown)() : schema;
  // A list of plain values is a number with this bit.
  if (typeof inner === "number") return [inner & 64 ? `${prefix}.N` : prefix];
  if (!Array.isArray(inner)) return [prefix];
  const [kind, namespace] = inner as Schema;
  // A member with traits of its own: what it holds, then the traits.
  if (typeof namespace !== "string") return namesOf(kind, prefix);
  if (kind === 1) return namesOf(inner[4], `${prefix}.N`);
  if (kind !== 3) return [prefix];
  const members = inner[5] as readonly unknown[];
  return (inner[4] as string[]).flatMap((name, i) => {
    const traits = Array.isArray(members[i]) ? (members[i] as Schema)[1] : {};
    const key = keyOf(name, traits as Record<string, string>);
    return namesOf(members[i], prefix === "" ? key : `${prefix}.${key}`);
  });
}

function keyOf(name: string, { ec2QueryName, xmlName }: Record<string, string>): string {
  if (ec2QueryName !== undefined) return ec2QueryName;
  const key = xmlName ?? name;
  return `${key.slice(0, 1).toUpperCase()}${key.slice(1)}`;
}

const supported = await send(service, actionParts("NoSuchAction"), { service: "ec2" });
const ACTIONS = (/It supports: ([^<]*)\.</.exec(supported.text)?.[1] ?? "").split(", ");

describe("every parameter of AWS's model is read, passed over or refused by name:", () => {
  assert.ok(ACTIONS.length > 30, supported.text);
  for (const action of ACTIONS) {
    test(action, () => {
      const { reads, ignores = [], refuses = [] } = ACTION_PARAMETERS[action] ?? { reads: [] };
      const request = SCHEMAS.get(`${action}Request$`);
      const modelled = namesOf(request, "").filter((name) => name !== "DryRun");
      assert.deepEqual([...reads, ...ignores, ...refuses].sort(), modelled.sort());
    });
  }

  test("and no action has a row that it does not need", () => {
    assert.deepEqual(Object.keys(ACTION_PARAMETERS).sort(), ACTIONS.sort());
  });
});

async function call(action: string, parameters: Record<string, string>) {
  const { status, text } = await send(service, actionParts(action, parameters), { service: "ec2" });
  const message = /<Message>([^<]*)/.exec(text)?.[1] ?? "";
  return { status, code: /<Code>(\w+(?:\.\w+)?)/.exec(text)?.[1] ?? "", message, text };
}

describe("an unknown parameter is UnknownParameter, of", () => {
  for (const action of ACTIONS) {
    test(action, async () => {
      for (const name of ["Colour", "Filter.0.Name", "SnapshotId.1.Name", "Filter.1.Values.1"]) {
        const { status, code, message } = await call(action, { [name]: "x" });
        assert.equal(`${status} ${code}`, "400 UnknownParameter");
        assert.equal(message, `The parameter ${name} is not recognized`);
      }
    });
  }
});

test("an id beside the list that is meant does not widen what is described", async () => {
  for (const name of ["SnapshotId", "Owner", "Filter.Name", "Filter.01.Name", "snapshotid.1"]) {
    const { code } = await call("DescribeSnapshots", { [name]: "self" });
    assert.equal(code, "UnknownParameter", name);
  }
});

test("what every action takes is taken", async () => {
  const common = { Version: "2016-11-15", "X-Amz-Date": "now", Timestamp: "now" };
  assert.equal((await call("DescribeSnapshots", common)).status, 200);
  const dry = await call("DescribeSnapshots", { DryRun: "true" });
  assert.equal(`${dry.status} ${dry.code}`, "412 DryRunOperation");
  const unknown = await call("DescribeSnapshots", { DryRun: "true", Colour: "red" });
  assert.equal(unknown.code, "UnknownParameter", "said before anything else of the action");
});

test("what is passed over changes nothing", async () => {
  const SourceSnapshotId = await snapshotOf(service, new Map());
  const parameters = { SourceRegion: service.region, SourceSnapshotId };
  const copied = await call("CopySnapshot", {
    ...parameters,
    CompletionDurationMinutes: "15",
    PresignedUrl: "https://ec2.amazonaws.com/",
    DestinationRegion: service.region,
  });
  assert.equal(copied.status, 200, copied.text);
  assert.equal((await call("DescribeRegions", { AllRegions: "true" })).status, 200);
});

test("what is not to be had is refused by name", async () => {
  const snapshotId = await start(service);
  for (const [action, name] of [
    ["CopySnapshot", "DestinationOutpostArn"],
    ["RegisterImage", "BlockDeviceMapping.1.Ebs.KmsKeyId"],
    ["RegisterImage", "ImageLocation"],
    ["ModifyImageAttribute", "LaunchPermission.Add.1.OrganizationArn"],
    ["CopyImage", "DestinationAvailabilityZoneId"],
  ] as const) {
    const { code, message } = await call(action, { [name]: snapshotId });
    assert.equal(code, "UnsupportedOperation", name);
    assert.match(message, new RegExp(`parameter ${name} of ${action}`));
  }
});
