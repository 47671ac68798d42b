import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import type { Service } from "../../src/service.ts";
import { checksumOfBlock } from "../support/blocks.ts";
import { snapshotOf } from "../support/operations.ts";
import { built, type Program, run } from "../support/program.ts";
import { awsEnvironment, startService } from "../support/service.ts";

/*
 * The cycle of test/api/cycle.ts as programs in other languages go through it, each in the way of
 * its own SDK. A program prints one JSON line for each step; what it must have seen stands here.
 */

const LONG_COUNT = 251;

type Facts = Readonly<Record<string, unknown>>;

interface Step {
  readonly step: string;
  readonly seen: Facts;
}

/** Builds a program if need be, runs it against a service, and compares what it saw. */
export async function runProgram(t: TestContext, program: Program): Promise<void> {
  const command = await built(program);
  const service = await startService(t);
  const long = await longSnapshot(service);
  const { stdout } = await run([...command, long], { env: awsEnvironment(service) });
  const steps = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Step);
  const expected = expectedSteps(service, idsOf(steps, long));
  for (const [index, { step, seen }] of expected.entries()) {
    await t.test(String(seen["name"] ?? step), () => {
      assert.deepEqual(withoutTimes(steps[index]), { step, seen });
    });
  }
  assert.equal(steps.length, expected.length);
}

interface Ids {
  readonly parent: string;
  readonly child: string;
  readonly long: string;
}

/** More blocks than fit on two pages, put here: that is faster, and paging is the point. */
async function longSnapshot(service: Service): Promise<string> {
  const bytes = contents(1);
  return snapshotOf(service, new Map(longIndexes().map((index) => [index, bytes])));
}

function longIndexes(): number[] {
  return Array.from({ length: LONG_COUNT }, (_, i) => 8 * i);
}

/** A block's contents by number, as the programs make them; 0 is zeros. */
function contents(number: number): Uint8Array {
  return Buffer.alloc(BLOCK_SIZE_BYTES, number);
}

/** The ids the service chose, which the refusals repeat. */
function idsOf(steps: readonly Step[], long: string): Ids {
  const idOf = (name: string) => {
    const id = String(steps.find(({ step }) => step === name)?.seen["snapshotId"]);
    assert.match(id, /^snap-0[0-9a-f]{16}$/);
    return id;
  };
  return { parent: idOf("start"), child: idOf("child"), long };
}

/** Checks that a start time is one of the last minutes, and leaves it out. */
function withoutTimes(step: Step | undefined): Step | undefined {
  if (step?.seen["startTime"] === undefined) return step;
  const { startTime, ...seen } = step.seen;
  const ageMs = Date.now() - Date.parse(String(startTime));
  assert.ok(ageMs > -1_000 && ageMs < 600_000, `${String(startTime)} is of the last minutes`);
  return { ...step, seen };
}

const PARENT_BLOCKS = [
  [0, 7],
  [1, 0],
  [2_047, 4],
] as const;
const CHILD_BLOCKS = [
  [0, 7],
  [1, 5],
  [2_047, 4],
  [4_095, 6],
] as const;

function expectedSteps({ firstKey }: Service, { parent, child, long }: Ids): Step[] {
  const account = firstKey.key.account;
  const description = 'the "parent", für alle';
  const tags = { Name: "parent" };
  const common = { snapshotId: parent, ownerId: account, volumeSize: 1, tags };
  const gone = { listing: "ResourceNotFoundException", describing: "InvalidSnapshot.NotFound" };
  const steps: Record<string, Facts> = {
    identify: { account, arn: `arn:aws:iam::${account}:root` },
    start: { ...common, description, status: "pending", blockSize: BLOCK_SIZE_BYTES },
    put: { checksums: [3, 7, 0, 4].map((number) => checksumOfBlock(contents(number))) },
    complete: { status: "pending", again: "completed" },
    describe: {
      ...common,
      state: "completed",
      progress: "100%",
      volumeId: "vol-ffffffff",
      encrypted: false,
      fullSize: 3 * BLOCK_SIZE_BYTES,
    },
    read: { blocks: readBlocks(PARENT_BLOCKS) },
    child: { snapshotId: child, parent, status: "pending", blocks: readBlocks(CHILD_BLOCKS) },
    compare: {
      forth: [changed(1, true, true), changed(4_095, false, true)],
      back: [changed(1, true, true), changed(4_095, true, false)],
      oldBlockIsSame: true,
    },
    tag: { added: { Name: "child", empty: "" }, left: { empty: "" } },
    pages: { sizes: [100, 100, 51], indexes: longIndexes() },
  };
  return [
    ...Object.entries(steps).map(([step, seen]) => ({ step, seen })),
    ...refusals(parent, long).map((seen) => ({ step: "refusal", seen })),
    { step: "deleteParent", seen: { ...gone, blocks: readBlocks(CHILD_BLOCKS) } },
    { step: "deleteChild", seen: gone },
  ];
}

/** What reading tells of blocks whose contents are given by number. */
function readBlocks(blocks: readonly (readonly [index: number, number: number])[]): Facts[] {
  return blocks.map(([index, number]) => ({
    index,
    checksum: checksumOfBlock(contents(number)),
    algorithm: "SHA256",
    length: BLOCK_SIZE_BYTES,
    same: true,
  }));
}

function changed(index: number, first: boolean, second: boolean): Facts {
  return { index, first, second };
}

function refusals(parent: string, long: string): Facts[] {
  const [computed, claimed] = [1, 99].map((number) => checksumOfBlock(contents(number)));
  const validation: readonly (readonly [name: string, reason: string, message: string])[] = [
    ["wrong length", "INVALID_BLOCK", "Block data length 1 is not valid, expected 524288"],
    ["index beyond", "INVALID_BLOCK", "Block index 2048 is beyond the volume size extent"],
    ["completed snapshot", "INVALID_SNAPSHOT_ID", "Snapshot is already completed"],
    ["bad block token", "INVALID_BLOCK_TOKEN", "The block token bm90 is invalid."],
    ["bad page token", "INVALID_PAGE_TOKEN", "The pagination token bm90 is invalid."],
    [
      "unrelated snapshots",
      "UNRELATED_SNAPSHOTS",
      `The snapshot ${parent} and ${long} are not related.`,
    ],
  ];
  return [
    {
      name: "unknown snapshot",
      code: "ResourceNotFoundException",
      reason: "SNAPSHOT_NOT_FOUND",
      message: "The snapshot 'snap-0ffffffffffffffff' does not exist.",
    },
    {
      name: "wrong checksum",
      code: "InvalidSignatureException",
      reason: "",
      message:
        "The value passed in as x-amz-Checksum does not match the computed checksum. " +
        `Computed checksum: ${computed} expected checksum: ${claimed}`,
    },
    ...validation.map(([name, reason, message]) => {
      return { name, code: "ValidationException", reason, message };
    }),
    {
      name: "conflicting client token",
      code: "ConflictException",
      reason: "",
      message: "Current request does not match request stored with this token.",
    },
    {
      name: "wrong key",
      code: "InvalidSignatureException",
      reason: "",
      message:
        "The request signature we calculated does not match the signature you provided. Check " +
        "your AWS Secret Access Key and signing method. Consult the service documentation for " +
        "details.",
    },
  ];
}
