import assert from "node:assert/strict";
import { checksumOfBlock } from "../support/blocks.ts";
import { blockContents } from "../support/property.ts";

/* What every service has to refuse, as each tool hands the refusal to its user. */

type Members = Readonly<Record<string, unknown>>;

/** As much of a tool as it takes. */
interface Asker {
  call(service: "ebs" | "ec2", operation: string, input: Members): Promise<Members>;
  putBlock(input: Members, bytes: Uint8Array): Promise<Members>;
  getBlock(input: Members): Promise<unknown>;
}

const UNKNOWN = "snap-0ffffffffffffffff";

/** Asks for ten things that are refused, and looks at the code and the words of each answer. */
export async function checkRefusals(driver: Asker, completed: string): Promise<void> {
  const start = (input: Members) => driver.call("ebs", "StartSnapshot", input);
  const list = (input: Members) => driver.call("ebs", "ListSnapshotBlocks", input);
  const token = { ClientToken: "taken-by-these-refusals" };
  const { SnapshotId: pending } = await start({ VolumeSize: 1, ...token });
  const bytes = blockContents(1);
  const put = (changes: Members) => {
    const whole = { SnapshotId: pending, BlockIndex: 0, DataLength: bytes.length };
    const sums = { Checksum: checksumOfBlock(bytes), ChecksumAlgorithm: "SHA256" };
    return driver.putBlock({ ...whole, ...sums, ...changes }, bytes);
  };
  const notFound = ["ResourceNotFoundException", /does not exist/] as const;
  const invalid = (text: RegExp) => ["ValidationException", text] as const;
  const wrongSum = { Checksum: checksumOfBlock(blockContents(9)) };
  const read = { SnapshotId: completed, BlockIndex: 0, BlockToken: "bm90" };
  const pair = { FirstSnapshotId: completed, SecondSnapshotId: UNKNOWN };
  const parent = { VolumeSize: 1, ParentSnapshotId: pending };
  const refusals: [() => Promise<unknown>, readonly [code: string, text: RegExp]][] = [
    [() => list({ SnapshotId: UNKNOWN }), notFound],
    [() => list({ SnapshotId: completed, NextToken: "bm90" }), invalid(/pagination token/)],
    [() => driver.getBlock(read), invalid(/block token/)],
    [() => driver.call("ebs", "ListChangedBlocks", pair), notFound],
    [() => put(wrongSum), ["InvalidSignatureException", /./]],
    [() => put({ BlockIndex: 2_048 }), invalid(/./)],
    [() => put({ SnapshotId: completed }), invalid(/./)],
    [() => start(parent), invalid(/not complete/)],
    [() => start({ VolumeSize: 2, ...token }), ["ConflictException", /token/]],
    [
      () => driver.call("ec2", "DescribeSnapshots", { SnapshotIds: [UNKNOWN] }),
      ["InvalidSnapshot.NotFound", /does not exist/],
    ],
  ];
  for (const [at, [ask, [code, text]]] of refusals.entries()) {
    await assert.rejects(ask, (error: Error) => {
      assert.equal(error.name, code, `refusal ${at}: ${error.message}`);
      assert.match(error.message, text, `refusal ${at}`);
      return true;
    });
  }
  await driver.call("ec2", "DeleteSnapshot", { SnapshotId: pending });
}
