// Makes the golden store of the version at hand, once for each release: make.ts. One that is there
// is never made again, for it is to be what that release left.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../src/blocks/hash.ts";
import { checksumOf } from "../../src/model/digest.ts";
import { isKeyDomain, type SnapshotId } from "../../src/model/ids.ts";
import { openService } from "../../src/service.ts";
import { completeSnapshot } from "../../src/snapshots/complete-snapshot.ts";
import { copySnapshot } from "../../src/snapshots/copy-snapshot.ts";
import { deleteSnapshot } from "../../src/snapshots/delete-snapshot.ts";
import { putSnapshotBlock } from "../../src/snapshots/put-snapshot-block.ts";
import { startSnapshot } from "../../src/snapshots/start-snapshot.ts";
import { NO_OPTIONS } from "../model/drivers.ts";
import { blockContents } from "../support/property.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { clockAt, GOLDEN_CONFIG, type GoldenSnapshot, goldenStores, keepGolden } from "./golden.ts";

const TIME_MS = Date.UTC(2026, 0, 1);
type Blocks = readonly (readonly [blockIndex: number, contents: number])[];

const { version } = JSON.parse(
  await readFile(join(import.meta.dirname, "../../package.json"), "utf8"),
) as { version: string };
if ((await goldenStores()).some((golden) => golden.version === version)) {
  throw new Error(`There is a golden store of ${version} already`);
}

const cleanups: (() => unknown)[] = [];
const dataDirectory = await temporaryDirectory({ after: (work) => void cleanups.push(work) });
const clock = clockAt(TIME_MS);
const place = { dataDirectory, host: "127.0.0.1", port: 0, region: "us-east-1" };
const service = await openService({ ...place, ...GOLDEN_CONFIG, clock });
const { core } = service;
const { account } = service.firstKey.key;
const made: { id: string; blocks: Blocks }[] = [];

async function start(options: object): Promise<string> {
  const input = { volumeSizeGib: 1, parentSnapshotId: undefined, tags: [], ...NO_OPTIONS };
  return (await startSnapshot(core, account, { ...input, ...options })).id;
}

async function put(snapshotId: string, blocks: Blocks): Promise<void> {
  for (const [blockIndex, contents] of blocks) {
    const bytes = blockContents(contents);
    const named = { snapshotId, blockIndex, dataLength: bytes.length };
    const sum = { checksum: checksumOf(digestOf(bytes)), checksumAlgorithm: "SHA256" };
    await putSnapshotBlock(core, account, { input: { ...named, ...sum }, bytes });
  }
}

async function snapshot(options: object, written: Blocks, inherited: Blocks = []) {
  const id = await start(options);
  await put(id, written);
  const counted = { changedBlocksCount: written.length, linearDigest: undefined };
  await completeSnapshot(core, account, { snapshotId: id, ...counted });
  const blocks = [...new Map([...inherited, ...written])].sort(([a], [b]) => a - b);
  made.push({ id, blocks });
  return { id, blocks };
}

async function copy(source: { id: string; blocks: Blocks }, encrypted: boolean | undefined) {
  const texts = { description: "a copy", tags: [], kmsKeyId: undefined };
  const input = { sourceSnapshotId: source.id, ...texts, encrypted };
  const copied = await copySnapshot(core, account, input);
  if (typeof copied !== "object") throw new Error(`not copied: ${copied}`);
  await core.copier.resume();
  await core.sealer.idle();
  made.push({ id: copied.id, blocks: source.blocks });
}

const tags = [
  { Key: "Name", Value: "golden" },
  { Key: "größe", Value: "1 GiB" },
];
const first = await snapshot({ tags, description: "the first" }, [
  [0, 1],
  [1, 0],
  [511, 2],
  [2_047, 3],
]);
const grown: Blocks = [
  [1, 4],
  [512, 1],
  [6_143, 5],
];
await snapshot({ parentSnapshotId: first.id, volumeSizeGib: 3 }, grown, first.blocks);
const sealed = await snapshot({ encrypted: true, description: "encrypted" }, [
  [0, 1],
  [7, 6],
]);
await snapshot({ parentSnapshotId: sealed.id }, [[7, 0]], sealed.blocks);
await snapshot({ volumeSizeGib: 65_536, description: "the largest" }, [[2 ** 27 - 1, 1]]);
await snapshot({ description: "empty" }, []);
await copy(first, undefined);
await copy(first, true);
const binned = await snapshot({ description: "in the recycle bin" }, [[3, 8]]);
await deleteSnapshot(core, account, binned.id);
const pending = await start({ parentSnapshotId: first.id, description: "under way" });
const pendingBlocks: Blocks = [
  [2, 10],
  [511, 0],
];
await put(pending, pendingBlocks);
made.push({ id: pending, blocks: pendingBlocks });

const snapshots: GoldenSnapshot[] = [];
for (const { id, blocks } of made) {
  const row = await core.catalog.snapshots.get(id as SnapshotId);
  if (!row) continue;
  const { state, description, volumeSizeGib } = row;
  const isEncrypted = isKeyDomain(row.domain);
  const common = { id, description, volumeSizeGib, isEncrypted, blocks, tags: row.tags };
  snapshots.push({ ...common, state: state as GoldenSnapshot["state"] });
}
await service.close();
await keepGolden({ version, timeMs: TIME_MS, snapshots }, dataDirectory);
for (const work of cleanups) await work();
console.log(`${snapshots.length} snapshots kept of ${version}`);
