import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  blocksOf,
  changedBlocksOf,
  createClient,
  describeSnapshots,
} from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES, GIB_BYTES } from "../../src/model/limits.ts";
import { IMAGE_BYTES, MKFS, makeFileSystem } from "../support/file-system.ts";
import { assertSameBytes } from "../support/image-file.ts";
import { built, type Program, reasonToSkip, run } from "../support/program.ts";
import { CARGO_ENVIRONMENT, RUST } from "../support/rust.ts";
import { awsEnvironment, sdkOptions, startService } from "../support/service.ts";

/** As its authors publish it, with the versions that its own lock file names. */
const coldsnap: Program = {
  name: "coldsnap",
  tools: RUST,
  build: (output) => [
    {
      command: [
        ...(["cargo", "install", "coldsnap", "--version", "0.12.0"] as const),
        ...["--locked", "--debug", "--quiet", "--root", output],
      ],
      env: CARGO_ENVIRONMENT,
    },
  ],
  command: (output) => [join(output, "bin/coldsnap")],
};
const skip = await reasonToSkip([...coldsnap.tools, MKFS]);
const BLOCK_COUNT = IMAGE_BYTES / BLOCK_SIZE_BYTES;
const CHANGED_BLOCK_INDEX = 100;

test("coldsnap uploads, waits and downloads", { skip }, async (t) => {
  const command = await built(coldsnap);
  const service = await startService(t);
  const client = createClient(sdkOptions(service));
  const { folder, image } = await makeFileSystem(t);
  const { AWS_ENDPOINT_URL: endpoint = "", ...env } = awsEnvironment(service);
  const call = async (...args: string[]) => {
    const { stdout } = await run([...command, "--endpoint", endpoint, ...args], { env });
    return stdout.trim();
  };
  const returns = async (id: string) => {
    const restored = join(folder, `${id}.raw`);
    await call("download", "--no-progress", id, restored);
    await assertSameBytes(restored, image, GIB_BYTES);
  };
  let parent = "";

  await t.test("every block of an image, zeros as well", async () => {
    const tag = ["--description", "a file system", "--tag", "Key=Name,Value=whole"];
    parent = await call("upload", "--no-progress", ...tag, image);
    await call("wait", "--seconds-between-attempts", "0", parent);
    const { Snapshots } = await describeSnapshots(client, { SnapshotIds: [parent] });
    const [described] = Snapshots;
    assert.equal(described?.Description, "a file system");
    assert.deepEqual(described?.Tags, [{ Key: "Name", Value: "whole" }]);
    assert.equal((await indexesOf(blocksOf(client, parent))).length, BLOCK_COUNT);
    await returns(parent);
  });

  await t.test("an image without its blocks of zeros", async () => {
    const id = await call("upload", "--no-progress", "--omit-zero-blocks", "--wait", image);
    assert.ok((await indexesOf(blocksOf(client, id))).length < BLOCK_COUNT / 2);
    await returns(id);
  });

  await t.test("a child, which differs from its parent where the image has changed", async () => {
    await using file = await open(image, "r+");
    await file.write("changed", CHANGED_BLOCK_INDEX * BLOCK_SIZE_BYTES);
    const id = await call("upload", "--no-progress", "--parent-snapshot-id", parent, image);
    await call("wait", "--seconds-between-attempts", "0", id);
    const pair = { firstSnapshotId: parent, secondSnapshotId: id };
    const changes = await indexesOf(changedBlocksOf(client, pair));
    assert.deepEqual(changes, [CHANGED_BLOCK_INDEX]);
    await returns(id);
  });

  await t.test("nothing of a snapshot that is not there", async () => {
    const unknown = "snap-0ffffffffffffffff";
    await assert.rejects(
      call("download", "--no-progress", unknown, join(folder, "none")),
      /404|not exist|ResourceNotFound/,
    );
    await assert.rejects(
      call("wait", "--max-attempts", "1", unknown),
      /Failed to describe snapshots: service error/,
    );
  });
});

async function indexesOf(blocks: AsyncIterable<{ BlockIndex: number }>): Promise<number[]> {
  const indexes: number[] = [];
  for await (const { BlockIndex } of blocks) indexes.push(BlockIndex);
  return indexes;
}
