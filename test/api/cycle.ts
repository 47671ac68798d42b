import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { checksumOfBlock, linearChecksum } from "../support/blocks.ts";
import { blockContents } from "../support/property.ts";
import { checkRefusals } from "./_refusals.ts";

/*
 * The full cycle of a snapshot, told once, and driven through AWS's own tools: they all speak the
 * same model, so an operation and its members have the same names everywhere.
 */

/** Members of a request or of an answer, as AWS names them; bytes travel apart. */
export type Members = Readonly<Record<string, unknown>>;
export type ServiceName = "ebs" | "ec2" | "sts";

/** One of AWS's tools. */
export interface Driver {
  /** Calls an operation; rejects with an error whose name is AWS's code. */
  call(service: ServiceName, operation: string, input: Members): Promise<Members>;
  putBlock(input: Members, bytes: Uint8Array): Promise<Members>;
  getBlock(input: Members): Promise<{ readonly output: Members; readonly bytes: Uint8Array }>;
  /** Puts many blocks, by whatever means are fast. */
  putMany(snapshotId: string, blocks: ReadonlyMap<number, Uint8Array>): Promise<void>;
  /** The tool's own waiter for a completed snapshot. */
  waitUntilCompleted(snapshotId: string): Promise<void>;
}

type Blocks = Map<number, Uint8Array>;

/** Runs the cycle, one subtest for each step. */
export async function runCycle(t: TestContext, driver: Driver): Promise<void> {
  const story = new Cycle(driver);
  const step = (title: string, work: () => Promise<void>) =>
    t.test(title, async () => {
      await work();
    });
  await step("the caller learns who it is", () => story.identify());
  await step("a snapshot is started", () => story.startParent());
  await step("blocks go in, one of zeros and one overwritten", () => story.putParent());
  await step("the snapshot is completed with its aggregate checksum", () => story.complete());
  await step("EC2 describes it as completed", () => story.describe());
  await step("its blocks come back as they went in", () => story.readParent());
  await step("a child takes only changes", () => story.makeChild());
  await step("the changes are listed in either order", () => story.compare());
  await step("tags come and go", () => story.tag());
  await step("ten refusals are told as such", () => story.refuse());
  await step("250 blocks and more are listed page by page", () => story.listPages());
  await step("the child reads on after its parent is deleted", () => story.deleteParent());
  await step("deleting the child ends it", () => story.deleteChild());
}

class Cycle {
  readonly #driver: Driver;
  readonly #parentBlocks: Blocks = new Map();
  readonly #childBlocks: Blocks = new Map();
  #account = "";
  #parent = "";
  #child = "";

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  async identify(): Promise<void> {
    const { Account, Arn } = await this.#driver.call("sts", "GetCallerIdentity", {});
    assert.match(String(Account), /^\d{12}$/);
    assert.match(String(Arn), new RegExp(`^arn:aws:iam::${Account}:`));
    this.#account = String(Account);
  }

  async startParent(): Promise<void> {
    const started = await this.#start({
      VolumeSize: 1,
      Description: 'the "parent", für alle',
      Tags: [{ Key: "Name", Value: "parent" }],
      Timeout: 60,
    });
    assert.equal(started["Description"], 'the "parent", für alle');
    assert.deepEqual(started["Tags"], [{ Key: "Name", Value: "parent" }]);
    this.#parent = String(started["SnapshotId"]);
  }

  async putParent(): Promise<void> {
    const writes: [number, number][] = [
      [0, 3],
      [1, 0],
      [2_047, 4],
      [0, 7],
    ];
    for (const [blockIndex, contents] of writes) {
      const bytes = blockContents(contents);
      await this.#put(this.#parent, blockIndex, bytes);
      this.#parentBlocks.set(blockIndex, bytes);
    }
  }

  async complete(): Promise<void> {
    await this.#complete(this.#parent, this.#parentBlocks);
    const again = { SnapshotId: this.#parent, ChangedBlocksCount: 0 };
    const { Status } = await this.#driver.call("ebs", "CompleteSnapshot", again);
    assert.equal(Status, "completed");
  }

  async describe(): Promise<void> {
    const described = await this.#describe(this.#parent);
    assert.equal(described["State"], "completed");
    assert.equal(described["Progress"], "100%");
    assert.equal(described["OwnerId"], this.#account);
    assert.equal(described["VolumeSize"], 1);
    assert.equal(described["VolumeId"], "vol-ffffffff");
    assert.equal(described["Encrypted"], false);
    assert.equal(described["FullSnapshotSizeInBytes"], 3 * BLOCK_SIZE_BYTES);
    assert.deepEqual(described["Tags"], [{ Key: "Name", Value: "parent" }]);
    assertRecent(described["StartTime"]);
    assertRecent(described["CompletionTime"]);
  }

  async readParent(): Promise<void> {
    await this.#assertReads(this.#parent, this.#parentBlocks);
  }

  async makeChild(): Promise<void> {
    const started = await this.#start({ VolumeSize: 2, ParentSnapshotId: this.#parent });
    assert.equal(started["ParentSnapshotId"], this.#parent);
    this.#child = String(started["SnapshotId"]);
    const own: Blocks = new Map([
      [1, blockContents(5)],
      [4_095, blockContents(6)],
    ]);
    for (const [blockIndex, bytes] of own) await this.#put(this.#child, blockIndex, bytes);
    await this.#complete(this.#child, own);
    for (const [blockIndex, bytes] of [...this.#parentBlocks, ...own]) {
      this.#childBlocks.set(blockIndex, bytes);
    }
    await this.#assertReads(this.#child, this.#childBlocks);
  }

  async compare(): Promise<void> {
    const forth = await this.#changes(this.#parent, this.#child);
    assert.deepEqual(forth.indexes, [1, 4_095]);
    assert.deepEqual(forth.hasFirst, [true, false]);
    assert.deepEqual(forth.hasSecond, [true, true]);
    const back = await this.#changes(this.#child, this.#parent);
    assert.deepEqual(back.indexes, [1, 4_095]);
    assert.deepEqual(back.hasFirst, [true, true]);
    assert.deepEqual(back.hasSecond, [true, false]);
    const get = { SnapshotId: this.#parent, BlockIndex: 1, BlockToken: back.secondTokens[0] };
    const { bytes } = await this.#driver.getBlock(get);
    assert.ok(this.#parentBlocks.get(1)?.every((byte, i) => byte === bytes[i]));
  }

  async tag(): Promise<void> {
    const added = [
      { Key: "Name", Value: "child" },
      { Key: "empty", Value: "" },
    ];
    const Resources = [this.#child];
    await this.#driver.call("ec2", "CreateTags", { Resources, Tags: added });
    assert.deepEqual(await this.#tags(), { Name: "child", empty: "" });
    await this.#driver.call("ec2", "DeleteTags", { Resources, Tags: [{ Key: "Name" }] });
    assert.deepEqual(await this.#tags(), { empty: "" });
  }

  async listPages(): Promise<void> {
    const started = await this.#start({ VolumeSize: 1 });
    const SnapshotId = String(started["SnapshotId"]);
    const blocks: Blocks = new Map(
      Array.from({ length: 251 }, (_, i) => [8 * i, blockContents(i % 3)]),
    );
    await this.#driver.putMany(SnapshotId, blocks);
    await this.#complete(SnapshotId, blocks);
    const pages = await this.#pages({ SnapshotId, MaxResults: 100 });
    assert.deepEqual(
      pages.map((page) => page.length),
      [100, 100, 51],
    );
    assert.deepEqual(pages.flat(), [...blocks.keys()]);
    const [rest] = await this.#pages({ SnapshotId, StartingBlockIndex: 1_993 });
    assert.deepEqual(rest, [2_000]);
  }

  async deleteParent(): Promise<void> {
    await this.#driver.call("ec2", "DeleteSnapshot", { SnapshotId: this.#parent });
    await this.#assertGone(this.#parent);
    await this.#assertReads(this.#child, this.#childBlocks);
  }

  async deleteChild(): Promise<void> {
    await this.#driver.call("ec2", "DeleteSnapshot", { SnapshotId: this.#child });
    await this.#assertGone(this.#child);
  }

  async #start(input: Members): Promise<Members> {
    const started = await this.#driver.call("ebs", "StartSnapshot", input);
    assert.match(String(started["SnapshotId"]), /^snap-0[0-9a-f]{16}$/);
    assert.equal(started["Status"], "pending");
    assert.equal(started["BlockSize"], BLOCK_SIZE_BYTES);
    assert.equal(started["VolumeSize"], input["VolumeSize"]);
    assert.equal(started["OwnerId"], this.#account);
    assertRecent(started["StartTime"]);
    return started;
  }

  async #put(snapshotId: string, blockIndex: number, bytes: Uint8Array): Promise<void> {
    const input = {
      SnapshotId: snapshotId,
      BlockIndex: blockIndex,
      DataLength: bytes.length,
      Checksum: checksumOfBlock(bytes),
      ChecksumAlgorithm: "SHA256",
    };
    const output = await this.#driver.putBlock(input, bytes);
    assert.equal(output["Checksum"], checksumOfBlock(bytes));
    assert.equal(output["ChecksumAlgorithm"], "SHA256");
  }

  async #complete(SnapshotId: string, written: ReadonlyMap<number, Uint8Array>): Promise<void> {
    const { Status } = await this.#driver.call("ebs", "CompleteSnapshot", {
      SnapshotId,
      ChangedBlocksCount: written.size,
      Checksum: linearChecksum(written),
      ChecksumAlgorithm: "SHA256",
      ChecksumAggregationMethod: "LINEAR",
    });
    assert.equal(Status, "pending");
    await this.#driver.waitUntilCompleted(SnapshotId);
  }

  async #describe(snapshotId: string): Promise<Members> {
    const input = { SnapshotIds: [snapshotId] };
    const output = await this.#driver.call("ec2", "DescribeSnapshots", input);
    const [described] = output["Snapshots"] as Members[];
    assert.equal(described?.["SnapshotId"], snapshotId);
    return described as Members;
  }

  async #assertReads(snapshotId: string, blocks: ReadonlyMap<number, Uint8Array>): Promise<void> {
    const output = await this.#driver.call("ebs", "ListSnapshotBlocks", { SnapshotId: snapshotId });
    const listed = output["Blocks"] as { BlockIndex: number; BlockToken: string }[];
    const indexes = [...blocks.keys()].sort((a, b) => a - b);
    assert.deepEqual(
      listed.map(({ BlockIndex }) => BlockIndex),
      indexes,
    );
    for (const { BlockIndex, BlockToken } of listed) {
      const get = { SnapshotId: snapshotId, BlockIndex, BlockToken };
      const { output: got, bytes } = await this.#driver.getBlock(get);
      const expected = blocks.get(BlockIndex) as Uint8Array;
      assert.equal(got["DataLength"], BLOCK_SIZE_BYTES);
      assert.equal(got["Checksum"], checksumOfBlock(expected));
      assert.equal(got["ChecksumAlgorithm"], "SHA256");
      assert.ok(Buffer.from(expected).equals(bytes), `block ${BlockIndex} of ${snapshotId}`);
    }
  }

  async #changes(FirstSnapshotId: string, SecondSnapshotId: string) {
    const input = { FirstSnapshotId, SecondSnapshotId };
    const output = await this.#driver.call("ebs", "ListChangedBlocks", input);
    const changes = output["ChangedBlocks"] as Record<string, string | number | undefined>[];
    assert.ok(!output["NextToken"], "there is one page");
    return {
      indexes: changes.map((change) => change["BlockIndex"]),
      hasFirst: changes.map((change) => Boolean(change["FirstBlockToken"])),
      hasSecond: changes.map((change) => Boolean(change["SecondBlockToken"])),
      secondTokens: changes.map((change) => change["SecondBlockToken"]),
    };
  }

  async #tags(): Promise<Record<string, string>> {
    const Filters = [{ Name: "resource-id", Values: [this.#child] }];
    const output = await this.#driver.call("ec2", "DescribeTags", { Filters });
    const tags = output["Tags"] as { Key: string; Value?: string; ResourceType: string }[];
    assert.ok(tags.every(({ ResourceType }) => ResourceType === "snapshot"));
    return Object.fromEntries(tags.map(({ Key, Value = "" }) => [Key, Value]));
  }

  /** The block indexes of each page; the end is a token that is absent or null. */
  async #pages(input: Members): Promise<number[][]> {
    const pages: number[][] = [];
    for (let NextToken: unknown; ; ) {
      const query = NextToken ? { ...input, NextToken } : input;
      const output = await this.#driver.call("ebs", "ListSnapshotBlocks", query);
      pages.push(indexesOf(output));
      NextToken = output["NextToken"];
      if (NextToken === undefined || NextToken === null) return pages;
    }
  }

  async refuse(): Promise<void> {
    await checkRefusals(this.#driver, this.#parent);
  }

  async #assertGone(SnapshotId: string): Promise<void> {
    const list = this.#driver.call("ebs", "ListSnapshotBlocks", { SnapshotId });
    await assert.rejects(list, { name: "ResourceNotFoundException" });
    const describe = this.#driver.call("ec2", "DescribeSnapshots", { SnapshotIds: [SnapshotId] });
    await assert.rejects(describe, { name: "InvalidSnapshot.NotFound" });
  }
}

/** The block indexes of a listing, in its order. */
function indexesOf(listing: Members): number[] {
  const blocks = listing["Blocks"] as { readonly BlockIndex: number }[];
  return blocks.map(({ BlockIndex }) => BlockIndex);
}

/** A time of the last minutes, as ISO 8601 or in seconds since 1970. */
function assertRecent(time: unknown): void {
  const timeMs = typeof time === "number" ? time * 1000 : Date.parse(String(time));
  const ageMs = Date.now() - timeMs;
  assert.ok(ageMs > -1_000 && ageMs < 600_000, `${String(time)} is a time of the last minutes`);
}
