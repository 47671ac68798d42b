import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import {
  type Client,
  ClientError,
  countExclusiveBlocks,
  deleteSnapshot,
  findSizes,
  lineagesOf,
  type SnapshotDescription,
  snapshotsOf,
  uploadSnapshot,
} from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { writeImage } from "../support/image-file.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { clientFor, clientThrough } from "./_client.ts";

/* Sizes of snapshots, as a Varve tells them and as they are counted by listing. */

/** As AWS answers: it knows no lineages, and every snapshot of the volume carries its id. */
function asAws(client: Client): Client {
  return clientThrough(client, async (call, options) => {
    const { operation } = call;
    if (operation === "ListLineages" || operation === "CountExclusiveBlocks") {
      const message = "The action or operation requested is invalid.";
      throw new ClientError({ kind: "service", operation, code: "Unknown", status: 404, message });
    }
    const answer = await client.send(call, options);
    if (operation !== "DescribeSnapshots") return answer;
    const page = answer as { readonly Snapshots: readonly SnapshotDescription[] };
    const VolumeId = "vol-0123456789abcdef0";
    const Snapshots = page.Snapshots.map((each) => ({ ...each, VolumeId }));
    return { ...page, Snapshots } as typeof answer;
  });
}

async function all(client: Client): Promise<SnapshotDescription[]> {
  const found: SnapshotDescription[] = [];
  for await (const each of snapshotsOf(client)) found.push(each);
  return found;
}

test("sizes by listing are those that a Varve tells", async (t) => {
  const client = clientFor(t, await startService(t));
  const path = join(await temporaryDirectory(t), "image.raw");
  const images = [
    { 0: 1, 1: 2, 2: 3 },
    { 0: 1, 1: 4, 2: 3, 7: 8 },
    { 0: 1, 1: 4, 2: 9, 7: 8, 8: 9 },
  ];
  const ids: string[] = [];
  for (const contents of images) {
    await writeImage(path, 10 * BLOCK_SIZE_BYTES, contents);
    const { snapshotId } = await uploadSnapshot(client, { path, parentSnapshotId: ids.at(-1) });
    ids.push(snapshotId);
  }
  const told = await findSizes(client, await all(client));
  const aws = asAws(client);
  const listed = await findSizes(aws, await all(aws));
  const inBlocks = ({ sizes }: typeof told) =>
    ids.map((id) => {
      const { fullBytes, exclusiveBytes, changedBytes } = sizes.get(id) ?? {};
      const bytes = [fullBytes, exclusiveBytes, changedBytes];
      return bytes.map((each = Number.NaN) => each / BLOCK_SIZE_BYTES);
    });
  assert.deepEqual(inBlocks(told), [
    [3, 1, 3],
    [4, 0, 2],
    [5, 2, 2],
  ]);
  assert.deepEqual(inBlocks(listed), inBlocks(told));
  assert.deepEqual([told.isByListing, listed.isByListing], [false, true]);
  // The list of lineages and one count for each; without them, a listing to each side of each.
  assert.deepEqual([told.requestCount, listed.requestCount], [4, 7]);
});

test("what a snapshot frees changes with the snapshots around it", async (t) => {
  const client = clientFor(t, await startService(t));
  const path = join(await temporaryDirectory(t), "image.raw");
  await writeImage(path, 4 * BLOCK_SIZE_BYTES, { 0: 1, 1: 2, 3: 0 });
  const { snapshotId: first } = await uploadSnapshot(client, { path, holes: "seek" });
  // Written zeros take no room.
  assert.equal(await countExclusiveBlocks(client, first), 2);
  await writeImage(path, 4 * BLOCK_SIZE_BYTES, { 0: 1, 1: 5, 3: 0 });
  const options = { path, parentSnapshotId: first } as const;
  const { snapshotId: second } = await uploadSnapshot(client, options);
  assert.equal(await countExclusiveBlocks(client, first), 1);
  assert.equal(await countExclusiveBlocks(client, second), 1);
  await deleteSnapshot(client, first);
  assert.equal(await countExclusiveBlocks(client, second), 2);
  const lineages = [];
  for await (const each of lineagesOf(client)) lineages.push(each);
  assert.deepEqual(lineages, [
    {
      SnapshotId: second,
      ParentSnapshotId: first,
      LineageId: first,
      BlockCount: 3,
      WrittenBlockCount: 1,
    },
  ]);
  await assert.rejects(countExclusiveBlocks(client, first), { reason: "SNAPSHOT_NOT_FOUND" });
});
