// What calls the servers: a process of its own, and the same for Varve and for every floor. It
// signs each request, and looks at each answer just closely enough to know that it is right.

import { BLOCK_SIZE_BYTES, BLOCKS_PER_GIB } from "../../src/model/limits.ts";
import { writeCompleteSnapshotRequest } from "../../src/wire/complete-snapshot.ts";
import { writeGetSnapshotBlockRequest } from "../../src/wire/get-snapshot-block.ts";
import { writeListChangedBlocksRequest } from "../../src/wire/list-changed-blocks.ts";
import { writeListSnapshotBlocksRequest } from "../../src/wire/list-snapshot-blocks.ts";
import type { WireRequest } from "../../src/wire/message.ts";
import { writePutSnapshotBlockRequest } from "../../src/wire/put-snapshot-block.ts";
import { writeStartSnapshotRequest } from "../../src/wire/start-snapshot.ts";
import { BlockSet, type BlockSetOptions, HEAD_BYTES } from "../harness/blocks.ts";
import { serveParent } from "../harness/commands.ts";
import { Connection, type Received } from "../harness/connection.ts";
import { percentile } from "../harness/statistics.ts";
import { RequestSigner, type Signing } from "../harness/target.ts";

/** What a load took. */
export interface LoadResult {
  readonly count: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Block requests to one server over many connections. */
export interface BlockLoad {
  readonly endpoint: string;
  readonly snapshotId: string;
  readonly blocks: BlockSetOptions;
  readonly connections: number;
  /** Blocks from one to the next where they are put; default 1. */
  readonly stride?: number;
  /** Block indexes to ask for, in this order; default all, ascending. */
  readonly order?: readonly number[];
}

/** Bytes at the end of a page among which its NextToken is found. */
const TAIL_BYTES = 512;
/** The set used last is likely the next: the same blocks go to the floor. */
let latestSet: { name: string; set: BlockSet } | undefined;
const tokensOf = new Map<string, readonly string[]>();

serveParent({
  async startSnapshot({ endpoint, volumeSizeGib }: { endpoint: string; volumeSizeGib: number }) {
    const request = writeStartSnapshotRequest({ VolumeSize: volumeSizeGib });
    const { SnapshotId } = JSON.parse(await callOnce(endpoint, request));
    return SnapshotId as string;
  },

  async completeSnapshot(options: { endpoint: string; snapshotId: string; count: number }) {
    const { endpoint, snapshotId, count } = options;
    const input = { SnapshotId: snapshotId, ChangedBlocksCount: count };
    await callOnce(endpoint, writeCompleteSnapshotRequest(input));
    const isReadable = async () => {
      const page = writeListSnapshotBlocksRequest({ SnapshotId: snapshotId, MaxResults: 100 });
      return callOnce(endpoint, page).then(
        () => true,
        () => false,
      );
    };
    while (!(await isReadable())) await new Promise((resolve) => setTimeout(resolve, 20));
  },

  completeChild: (child: ChildSnapshot) => completeChild(child),
  put: (load: BlockLoad) => put(load),
  putObjects: (load: ObjectLoad) => putObjects(load),
  get: (load: BlockLoad) => get(load),

  async readTokens({ endpoint, snapshotId }: { endpoint: string; snapshotId: string }) {
    const tokens: string[] = [];
    for (let pageToken: string | undefined; ; ) {
      const input = { SnapshotId: snapshotId, NextToken: pageToken };
      const page = JSON.parse(await callOnce(endpoint, writeListSnapshotBlocksRequest(input)));
      for (const { BlockIndex, BlockToken } of page.Blocks) tokens[BlockIndex] = BlockToken;
      pageToken = page.NextToken ?? undefined;
      if (pageToken === undefined) break;
    }
    tokensOf.set(snapshotId, tokens);
  },

  walk: (options: { endpoint: string; snapshotId: string; isChecked: boolean }) => walk(options),
  comparePages: (options: { endpoint: string; pairs: readonly Pair[] }) => comparePages(options),

  async firstAnswer({ endpoint }: { endpoint: string }) {
    using connection = await Connection.open(endpoint);
    await connection.exchange(["GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"]);
  },
});

async function put(load: BlockLoad): Promise<LoadResult> {
  const { endpoint, snapshotId, blocks, connections, stride = 1 } = load;
  const set = setOf(blocks);
  const signer = new RequestSigner(endpoint);
  const empty = new Uint8Array(0);
  return run({ endpoint, connections, count: set.count }, async (connection, i) => {
    const input = {
      SnapshotId: snapshotId,
      BlockIndex: i * stride,
      DataLength: BLOCK_SIZE_BYTES,
      Checksum: set.checksum(i),
      ChecksumAlgorithm: "SHA256",
    };
    const request = writePutSnapshotBlockRequest(input, empty);
    const head = signer.head(request, BLOCK_SIZE_BYTES);
    check(201, await connection.exchange([head, ...set.pieces(i)]));
  });
}

/** Blocks as objects of one bucket, for an engine that speaks S3. */
interface ObjectLoad {
  readonly endpoint: string;
  readonly bucket: string;
  readonly signing: Signing;
  readonly blocks: BlockSetOptions;
  readonly connections: number;
}

async function putObjects(load: ObjectLoad): Promise<LoadResult> {
  const { endpoint, bucket, blocks, connections, signing } = load;
  const set = setOf(blocks);
  const signer = new RequestSigner(endpoint, signing);
  const prefix = `/${bucket}/${blocks.name.replace(/[^a-z0-9]/g, "-")}`;
  const common = { method: "PUT", query: "", headers: new Map(), body: new Uint8Array(0) };
  return run({ endpoint, connections, count: set.count }, async (connection, i) => {
    const head = signer.head({ ...common, path: `${prefix}-${i}` }, BLOCK_SIZE_BYTES);
    check(200, await connection.exchange([head, ...set.pieces(i)]));
  });
}

async function get(load: BlockLoad): Promise<LoadResult> {
  const { endpoint, snapshotId, blocks, connections } = load;
  const set = setOf(blocks);
  const tokens = tokensOf.get(snapshotId) ?? [];
  const signer = new RequestSigner(endpoint);
  const order = load.order ?? Array.from({ length: set.count }, (_, i) => i);
  return run({ endpoint, connections, count: order.length }, async (connection, i) => {
    const BlockIndex = order[i] as number;
    const BlockToken = tokens[BlockIndex] ?? "none";
    const request = writeGetSnapshotBlockRequest({
      SnapshotId: snapshotId,
      BlockIndex,
      BlockToken,
    });
    const received = await connection.exchange([signer.head(request)]);
    check(200, received);
    const head = Buffer.concat(received.body.slice(0, 1)).subarray(0, HEAD_BYTES);
    if (!set.pieces(BlockIndex)[0].equals(head)) throw new Error(`Block ${BlockIndex} is wrong`);
  });
}

/** Runs `count` pieces of work over that many connections, each taking the next in line. */
async function run(
  load: { readonly endpoint: string; readonly connections: number; readonly count: number },
  work: (connection: Connection, i: number) => Promise<void>,
): Promise<LoadResult> {
  const { endpoint, connections, count } = load;
  const opened = await Promise.all(
    Array.from({ length: connections }, () => Connection.open(endpoint)),
  );
  const latencies: number[] = [];
  let next = 0;
  const startedAt = performance.now();
  await Promise.all(
    opened.map(async (connection) => {
      for (let i = next++; i < count; i = next++) {
        const sentAt = performance.now();
        await work(connection, i);
        latencies.push(performance.now() - sentAt);
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  for (const connection of opened) connection[Symbol.dispose]();
  const [p50Ms, p99Ms] = [0.5, 0.99].map((share) => percentile(latencies, share));
  return { count, seconds, p50Ms: p50Ms ?? 0, p99Ms: p99Ms ?? 0 };
}

interface ChildSnapshot {
  readonly endpoint: string;
  readonly parentId: string;
  readonly volumeSizeGib: number;
  readonly name: string;
  /** Blocks that it changes, far apart. */
  readonly count: number;
}

/** Milliseconds from asking for the completion of a child until it is completed. */
async function completeChild(child: ChildSnapshot): Promise<number> {
  const { endpoint, parentId, volumeSizeGib, name, count } = child;
  const start = { VolumeSize: volumeSizeGib, ParentSnapshotId: parentId };
  const { SnapshotId } = JSON.parse(await callOnce(endpoint, writeStartSnapshotRequest(start)));
  const stride = Math.floor((volumeSizeGib * BLOCKS_PER_GIB) / count);
  const blocks = { kind: "random", name, count } as const;
  await put({ endpoint, snapshotId: SnapshotId, blocks, connections: 1, stride });
  const complete = writeCompleteSnapshotRequest({ SnapshotId, ChangedBlocksCount: count });
  const startedAt = performance.now();
  await callOnce(endpoint, complete);
  await callOnce(endpoint, writeListSnapshotBlocksRequest({ SnapshotId, MaxResults: 100 }));
  return performance.now() - startedAt;
}

/** Lists a whole snapshot over one connection, page after page. */
async function walk(options: {
  readonly endpoint: string;
  readonly snapshotId: string;
  readonly isChecked: boolean;
}): Promise<{ readonly seconds: number; readonly blocks: number; readonly pages: number }> {
  const { endpoint, snapshotId, isChecked } = options;
  using connection = await Connection.open(endpoint);
  const signer = new RequestSigner(endpoint);
  const startedAt = performance.now();
  let [blocks, pages] = [0, 0];
  for (let NextToken: string | undefined; pages === 0 || NextToken !== undefined; pages++) {
    const input = { SnapshotId: snapshotId, MaxResults: 10_000, NextToken };
    const received = await connection.exchange([
      signer.head(writeListSnapshotBlocksRequest(input)),
    ]);
    check(200, received);
    if (isChecked) blocks += JSON.parse(textOf(received)).Blocks.length;
    NextToken = nextTokenOf(received);
  }
  return { seconds: (performance.now() - startedAt) / 1000, blocks, pages };
}

/** Parsing the page would cost as much as making it: the token is looked for at its end. */
function nextTokenOf({ body }: Received): string | undefined {
  const tail = body.slice(-2).map((piece) => piece.subarray(-TAIL_BYTES));
  const text = Buffer.concat(tail).toString("latin1");
  return /"NextToken":"([^"]+)"/.exec(text)?.[1];
}

interface Pair {
  readonly first: string;
  readonly second: string;
  readonly changedCount: number;
}

/** What a comparison took. */
export interface ComparisonTimes {
  /** Milliseconds until its first page was there. */
  readonly firstMs: number;
  /** The same for all of its pages, one after another. */
  readonly wholeMs: number;
}

/** Makes comparisons one after another, each to its end. */
async function comparePages(options: {
  readonly endpoint: string;
  readonly pairs: readonly Pair[];
}): Promise<ComparisonTimes[]> {
  using connection = await Connection.open(options.endpoint);
  const signer = new RequestSigner(options.endpoint);
  const times: ComparisonTimes[] = [];
  for (const pair of options.pairs) times.push(await compareAll(connection, signer, pair));
  return times;
}

async function compareAll(
  connection: Connection,
  signer: RequestSigner,
  { first, second, changedCount }: Pair,
): Promise<ComparisonTimes> {
  const pages: Received[] = [];
  const startedAt = performance.now();
  let firstMs: number | undefined;
  for (let NextToken: string | undefined; firstMs === undefined || NextToken !== undefined; ) {
    const ids = { FirstSnapshotId: first, SecondSnapshotId: second };
    const request = writeListChangedBlocksRequest({ ...ids, MaxResults: 10_000, NextToken });
    const received = await connection.exchange([signer.head(request)]);
    firstMs ??= performance.now() - startedAt;
    check(200, received);
    pages.push(received);
    NextToken = nextTokenOf(received);
  }
  const wholeMs = performance.now() - startedAt;
  const found = pages.map((page) => JSON.parse(textOf(page)).ChangedBlocks.length);
  const sum = found.reduce((total, count) => total + count, 0);
  if (sum !== changedCount) throw new Error(`${sum} blocks differ, not ${changedCount}`);
  return { firstMs, wholeMs };
}

function setOf(options: BlockSetOptions): BlockSet {
  const name = JSON.stringify(options);
  if (latestSet?.name !== name) latestSet = { name, set: new BlockSet(options) };
  return latestSet.set;
}

async function callOnce(endpoint: string, request: WireRequest): Promise<string> {
  using connection = await Connection.open(endpoint);
  const head = new RequestSigner(endpoint).head(request);
  const received = await connection.exchange([head, request.body]);
  const text = textOf(received);
  if (received.status >= 300) throw new Error(`${received.status}: ${text}`);
  return text;
}

function check(status: number, received: Received): void {
  if (received.status === status) return;
  throw new Error(`${received.head}\n${textOf(received)}`);
}

function textOf({ body }: Received): string {
  return Buffer.concat(body).toString("utf8");
}
