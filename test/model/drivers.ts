import { join } from "node:path";
import {
  CompleteSnapshotCommand,
  EBSClient,
  GetSnapshotBlockCommand,
  ListChangedBlocksCommand,
  ListSnapshotBlocksCommand,
  PutSnapshotBlockCommand,
  StartSnapshotCommand,
} from "@aws-sdk/client-ebs";
import { DeleteSnapshotCommand, EC2Client } from "@aws-sdk/client-ec2";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { type Random, systemRandom } from "../../src/base/random.ts";
import { BlockStore } from "../../src/blocks/block-store.ts";
import { digestOf } from "../../src/blocks/hash.ts";
import type { Catalog } from "../../src/catalog/catalog.ts";
import { openSqliteCatalog } from "../../src/catalog/sqlite/sqlite-catalog.ts";
import { KeyRing } from "../../src/keys/key-ring.ts";
import { LocalKeyEncryptionKey } from "../../src/keys/local-key-encryption-key.ts";
import { composeCore as composeParts } from "../../src/make-core.ts";
import { checksumOf, type Digest, digestFromChecksum } from "../../src/model/digest.ts";
import type { AccountId } from "../../src/model/ids.ts";
import { FileSegments } from "../../src/segments/file-segments.ts";
import type { SegmentStore } from "../../src/segments/segment-store.ts";
import { openService, type Service } from "../../src/service.ts";
import {
  expireSnapshots,
  forgetSettledWrites,
} from "../../src/snapshots/chores/expire-snapshots.ts";
import type { EmulatedSealing } from "../../src/snapshots/chores/sealer.ts";
import { completeSnapshot } from "../../src/snapshots/complete-snapshot.ts";
import { copySnapshot } from "../../src/snapshots/copy-snapshot.ts";
import type { Core } from "../../src/snapshots/core.ts";
import { deleteSnapshot } from "../../src/snapshots/delete-snapshot.ts";
import { getSnapshotBlock } from "../../src/snapshots/get-snapshot-block.ts";
import { listChangedBlocks } from "../../src/snapshots/list-changed-blocks.ts";
import { listSnapshotBlocks } from "../../src/snapshots/list-snapshot-blocks.ts";
import { putSnapshotBlock } from "../../src/snapshots/put-snapshot-block.ts";
import { startSnapshot } from "../../src/snapshots/start-snapshot.ts";

/** Where a listing begins, and how much a page holds. */
export interface Paging {
  readonly maxResults: number;
  readonly startingBlockIndex: number;
}

/** One entry of a listing of changes; the tokens are there where the snapshot has the block. */
export interface Change {
  readonly blockIndex: number;
  readonly firstToken: string | undefined;
  readonly secondToken: string | undefined;
}

/** The service as the model sees it, over whatever way. All listings follow every page. */
export interface Driver {
  start(volumeSizeGib: number, parent: string | undefined): Promise<string>;
  put(snapshotId: string, blockIndex: number, bytes: Uint8Array): Promise<void>;
  /** Answers the final state. */
  complete(snapshotId: string, count: number, checksum: string): Promise<"completed" | "error">;
  delete(snapshotId: string): Promise<void>;
  /** Copies a snapshot, encrypted like its source; undefined where that cannot be asked for. */
  readonly copy: ((snapshotId: string) => Promise<string>) | undefined;
  list(snapshotId: string, paging: Paging): Promise<Map<number, string>>;
  changes(pair: readonly [string, string], paging: Paging): Promise<Change[]>;
  get(snapshotId: string, blockIndex: number, token: string): Promise<Uint8Array>;
  /** Lets the time of every pending snapshot run out; undefined where time cannot be moved. */
  readonly expire: (() => Promise<void>) | undefined;
  /** Collects garbage once, without a grace; undefined where that cannot be asked for. */
  readonly collect: (() => Promise<void>) | undefined;
  /** Closes the service and opens it again on the same folder. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Whose everything is. */
export const ACCOUNT = "111122223333" as AccountId;

/** Drives the functions of the core in this process: fast, and time can be moved. */
export async function openCoreDriver(directory: string): Promise<Driver> {
  let movedMs = 0;
  const clock: Clock = { ...systemClock, nowMs: () => Date.now() + movedMs };
  let opened = await openCore(directory, clock);
  return {
    async start(volumeSizeGib, parentSnapshotId) {
      const input = { volumeSizeGib, parentSnapshotId, tags: [], ...NO_OPTIONS };
      return (await startSnapshot(opened.core, ACCOUNT, input)).id;
    },
    async put(snapshotId, blockIndex, bytes) {
      const checksum = checksumOf(digestOf(bytes));
      const named = { snapshotId, blockIndex, dataLength: bytes.length };
      const input = { ...named, checksum, checksumAlgorithm: "SHA256" };
      await putSnapshotBlock(opened.core, ACCOUNT, { input, bytes });
    },
    async complete(snapshotId, changedBlocksCount, checksum) {
      const linearDigest = digestFromChecksum(checksum) as Digest;
      const input = { snapshotId, changedBlocksCount, linearDigest };
      await completeSnapshot(opened.core, ACCOUNT, input);
      await opened.core.sealer.idle();
      return (await completeSnapshot(opened.core, ACCOUNT, input)) as "completed" | "error";
    },
    async delete(snapshotId) {
      if (!(await deleteSnapshot(opened.core, ACCOUNT, snapshotId))) throw new Error("unknown");
    },
    copy: (snapshotId) => copyLikeSource(opened.core, snapshotId),
    async list(snapshotId, paging) {
      const pages = pagesOf(paging, (page) =>
        listSnapshotBlocks(opened.core, ACCOUNT, { snapshotId, ...page }),
      );
      const blocks = (await all(pages)).flatMap((page) => page.blocks);
      return new Map(blocks.map(({ blockIndex, blockToken }) => [blockIndex, blockToken]));
    },
    async changes([firstSnapshotId, secondSnapshotId], paging) {
      const pair = { firstSnapshotId, secondSnapshotId };
      const pages = pagesOf(paging, (page) =>
        listChangedBlocks(opened.core, ACCOUNT, { ...pair, ...page }),
      );
      const changed = (await all(pages)).flatMap((page) => page.changedBlocks);
      return changed.map(({ blockIndex, firstBlockToken, secondBlockToken }) => {
        return { blockIndex, firstToken: firstBlockToken, secondToken: secondBlockToken };
      });
    },
    async get(snapshotId, blockIndex, blockToken) {
      const input = { snapshotId, blockIndex, blockToken };
      return (await getSnapshotBlock(opened.core, ACCOUNT, input)).bytes;
    },
    async expire() {
      movedMs += 61 * 60_000;
      await expireSnapshots(opened.core);
    },
    async collect() {
      await forgetSettledWrites(opened.core);
      const collect = () => opened.core.collector.collect({ graceSeconds: 0, isDryRun: false });
      // The clock jumps in these histories: refused once, the time of then is taken for right.
      await collect().catch((error: Error) => {
        if (error.name !== "ClockSkewError") throw error;
        return collect();
      });
    },
    async restart() {
      await opened.close();
      opened = await openCore(directory, clock);
    },
    close: () => opened.close(),
  };
}

async function copyLikeSource(core: Core, sourceSnapshotId: string): Promise<string> {
  const asSource = { encrypted: undefined, kmsKeyId: undefined };
  const input = { sourceSnapshotId, description: undefined, tags: [], ...asSource };
  const copied = await copySnapshot(core, ACCOUNT, input);
  if (typeof copied !== "object") throw new Error(`not copied: ${copied}`);
  return copied.id;
}

/** Parameters of StartSnapshot that most snapshots are started without. */
export const NO_OPTIONS = {
  description: undefined,
  clientToken: undefined,
  encrypted: undefined,
  kmsKeyArn: undefined,
  timeoutMinutes: undefined,
};

/** Every page that `list` answers, to the last. */
async function* pagesOf<T extends { readonly nextToken: string | undefined }>(
  { maxResults, startingBlockIndex }: Paging,
  list: (page: PageInput) => Promise<T>,
): AsyncGenerator<T> {
  for (let nextToken: string | undefined; ; ) {
    const page = await list({ maxResults, startingBlockIndex, nextToken });
    yield page;
    nextToken = page.nextToken;
    if (nextToken === undefined) return;
  }
}

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const page of pages) list.push(page);
  return list;
}

interface PageInput extends Paging {
  readonly nextToken: string | undefined;
}

/** The core on a folder, composed as service.ts does, with small caches and segments. */
export async function openCore(directory: string, clock: Clock, emulated?: EmulatedSealing) {
  const catalog = openSqliteCatalog(join(directory, "catalog.sqlite"));
  const segments = await FileSegments.open({
    directory: join(directory, "segments"),
    segmentSizeBytesMax: 64 * 1024,
  });
  return composeCore({ catalog, segments }, { clock, emulated });
}

/** What a core of these tests is composed with. */
export interface CoreOptions {
  readonly clock: Clock;
  readonly random?: Random;
  readonly emulated?: EmulatedSealing | undefined;
  /** Bytes of nodes kept in memory. */
  readonly nodeCacheBytes?: number;
  /** Days that deleted snapshots stay in the recycle bin. */
  readonly recycleBinDays?: number;
  /** Hears of work in the background that failed; such a failure is thrown where nobody does. */
  readonly onError?: (what: unknown, error: unknown) => void;
}

/** The core on any store. */
export async function composeCore(
  { catalog, segments }: { readonly catalog: Catalog; readonly segments: SegmentStore },
  options: CoreOptions,
) {
  const { clock, emulated, random = systemRandom } = options;
  const { nodeCacheBytes = 4_000, recycleBinDays = 0 } = options;
  await catalog.identity.addAccount(ACCOUNT);
  const keyEncryptionKey = new LocalKeyEncryptionKey(new Uint8Array(32), random);
  const keys = new KeyRing({ table: catalog.encryption, keyEncryptionKey, random, clock });
  const blocks = new BlockStore(segments, catalog, keys);
  const fail = (_: unknown, error: unknown) => {
    throw error;
  };
  const { onError = fail } = options;
  const core = await composeParts({
    ...{ catalog, segments, blocks, keys, owner: ACCOUNT, clock, random, emulated },
    ...{ nodeCacheBytes, recycleBinDays, region: "us-east-1", scrubDays: 0 },
    ...{ leads: () => true, tokenSecretSpreadMs: undefined, hasAwsTokens: false },
    checkRoom: () => undefined,
    startOptions: {
      ...{ collectMinutes: 0, scrubDays: 0, tokenSecretDays: 0 },
      ...{ isKeyEncryptionKeyGiven: true, emulation: undefined },
    },
    // What it is about: a domain, a snapshot or a segment; the message where it is none of them.
    onFailure: (message, { error, ...what }) => onError(Object.values(what)[0] ?? message, error),
  });
  await blocks.recallDamaged({ nowMs: () => clock.nowMs(), onDamaged: () => undefined });
  await core.sealer.resume();
  return {
    core,
    async close() {
      await core.sealer.idle();
      await blocks.idle();
      await segments.close();
      await catalog.close();
    },
  };
}

/** Drives a whole service over HTTP with the AWS SDK. */
export async function openHttpDriver(dataDirectory: string): Promise<Driver> {
  let { service, ebs, ec2 } = await openHttp(dataDirectory);
  const close = async () => {
    ebs.destroy();
    ec2.destroy();
    await service.close();
  };
  return {
    async start(VolumeSize, ParentSnapshotId) {
      const { SnapshotId } = await ebs.send(
        new StartSnapshotCommand({ VolumeSize, ParentSnapshotId }),
      );
      return SnapshotId as string;
    },
    async put(SnapshotId, BlockIndex, BlockData) {
      const Checksum = checksumOf(digestOf(BlockData));
      const named = { SnapshotId, BlockIndex, DataLength: BlockData.length };
      const input = { ...named, BlockData, Checksum, ChecksumAlgorithm: "SHA256" as const };
      await ebs.send(new PutSnapshotBlockCommand(input));
    },
    async complete(SnapshotId, ChangedBlocksCount, Checksum) {
      const input = { SnapshotId, ChangedBlocksCount, Checksum, ...LINEAR };
      for (;;) {
        const { Status } = await ebs.send(new CompleteSnapshotCommand(input));
        if (Status === "completed" || Status === "error") return Status;
      }
    },
    async delete(SnapshotId) {
      await ec2.send(new DeleteSnapshotCommand({ SnapshotId }));
    },
    async list(SnapshotId, paging) {
      const pages = pagesOf(paging, async (page) => {
        const input = { SnapshotId, ...sdkPage(page) };
        const { Blocks = [], NextToken } = await ebs.send(new ListSnapshotBlocksCommand(input));
        return { blocks: Blocks, nextToken: NextToken };
      });
      const blocks = (await all(pages)).flatMap((page) => page.blocks);
      return new Map(blocks.map((block) => [block.BlockIndex ?? -1, block.BlockToken ?? ""]));
    },
    async changes([FirstSnapshotId, SecondSnapshotId], paging) {
      const pages = pagesOf(paging, async (page) => {
        const input = { FirstSnapshotId, SecondSnapshotId, ...sdkPage(page) };
        const found = await ebs.send(new ListChangedBlocksCommand(input));
        return { changed: found.ChangedBlocks ?? [], nextToken: found.NextToken };
      });
      const changed = (await all(pages)).flatMap((page) => page.changed);
      return changed.map(({ BlockIndex = -1, FirstBlockToken, SecondBlockToken }) => {
        return {
          blockIndex: BlockIndex,
          firstToken: FirstBlockToken,
          secondToken: SecondBlockToken,
        };
      });
    },
    async get(SnapshotId, BlockIndex, BlockToken) {
      const input = { SnapshotId, BlockIndex, BlockToken };
      const { BlockData } = await ebs.send(new GetSnapshotBlockCommand(input));
      return (await BlockData?.transformToByteArray()) ?? new Uint8Array(0);
    },
    copy: undefined,
    expire: undefined,
    collect: undefined,
    async restart() {
      await close();
      ({ service, ebs, ec2 } = await openHttp(dataDirectory));
    },
    close,
  };
}

const LINEAR = { ChecksumAlgorithm: "SHA256", ChecksumAggregationMethod: "LINEAR" } as const;

function sdkPage({ maxResults, startingBlockIndex, nextToken }: PageInput) {
  const MaxResults = Math.max(100, maxResults);
  return { MaxResults, StartingBlockIndex: startingBlockIndex, NextToken: nextToken };
}

async function openHttp(dataDirectory: string) {
  const place = { host: "127.0.0.1", port: 0, region: "us-east-1" };
  const service: Service = await openService({ dataDirectory, ...place });
  const { endpoint, region, firstKey } = service;
  const { accessKeyId, secretAccessKey } = firstKey.key;
  const options = { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
  return { service, ebs: new EBSClient(options), ec2: new EC2Client(options) };
}
