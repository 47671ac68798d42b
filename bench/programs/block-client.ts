// Puts and gets blocks one by one, with our client or with AWS's SDK, in a process of its own.

import { hash } from "node:crypto";
import { EBSClient, GetSnapshotBlockCommand, PutSnapshotBlockCommand } from "@aws-sdk/client-ebs";
import {
  blocksOf,
  createClient,
  getSnapshotBlock,
  putSnapshotBlock,
} from "../../src/client/index.ts";
import { randomBytesFrom } from "../harness/blocks.ts";
import { serveParent } from "../harness/commands.ts";
import { KEY_PAIR, REGION } from "../harness/target.ts";

/** Calls under way at once. */
const CALLS_AT_ONCE = 16;
/** Bytes of a block. */
const BLOCK_BYTES = 524_288;

interface ClientLoad {
  readonly library: "varve" | "sdk";
  readonly endpoint: string;
  readonly snapshotId: string;
  readonly name: string;
  readonly count: number;
}

/** Both libraries as one: a block in, a block out, each verified. */
interface BlockClient {
  put(blockIndex: number, bytes: Uint8Array): Promise<void>;
  get(blockIndex: number, token: string): Promise<void>;
  close(): void;
}

const tokens = new Map<number, string>();

serveParent({
  async put(load: ClientLoad) {
    const block = randomBytesFrom("client body", BLOCK_BYTES);
    const buffers = Array.from({ length: CALLS_AT_ONCE }, () => Buffer.from(block));
    await withClient(load, (client) =>
      forEach(load.count, async (blockIndex, worker) => {
        // Each block is another one; a worker's buffer is its own until the put is over.
        const bytes = buffers[worker] as Buffer;
        bytes.write(`${load.name} ${blockIndex}`);
        await client.put(blockIndex, bytes);
      }),
    );
  },
  async readTokens({ endpoint, snapshotId }: ClientLoad) {
    const client = createClient({ endpoint, region: REGION, credentials: KEY_PAIR });
    tokens.clear();
    for await (const { BlockIndex, BlockToken } of blocksOf(client, snapshotId)) {
      tokens.set(BlockIndex, BlockToken);
    }
    client.close();
  },
  get: (load: ClientLoad) =>
    withClient(load, (client) =>
      forEach(load.count, async (number) => {
        const blockIndex = number % tokens.size;
        await client.get(blockIndex, tokens.get(blockIndex) ?? "");
      }),
    ),
});

async function withClient(
  load: ClientLoad,
  work: (client: BlockClient) => Promise<void>,
): Promise<void> {
  const client = load.library === "varve" ? ours(load) : sdks(load);
  await work(client);
  client.close();
}

async function forEach(
  count: number,
  work: (number: number, worker: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const run = async (worker: number) => {
    while (next < count) await work(next++, worker);
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, (_, worker) => run(worker)));
}

function ours({ endpoint, snapshotId }: ClientLoad): BlockClient {
  const client = createClient({ endpoint, region: REGION, credentials: KEY_PAIR });
  return {
    async put(blockIndex, BlockData) {
      await putSnapshotBlock(client, blockIndex, snapshotId, { BlockData });
    },
    async get(blockIndex, token) {
      await getSnapshotBlock(client, blockIndex, snapshotId, token);
    },
    close: () => client.close(),
  };
}

/** The SDK, and beside it what our client does by itself: hashing what goes and what comes. */
function sdks({ endpoint, snapshotId: SnapshotId }: ClientLoad): BlockClient {
  const client = new EBSClient({ endpoint, region: REGION, credentials: KEY_PAIR });
  return {
    async put(BlockIndex, BlockData) {
      const Checksum = hash("sha256", BlockData, "base64");
      const sums = { Checksum, ChecksumAlgorithm: "SHA256" } as const;
      const members = { SnapshotId, BlockIndex, BlockData, DataLength: BLOCK_BYTES, ...sums };
      await client.send(new PutSnapshotBlockCommand(members));
    },
    async get(BlockIndex, BlockToken) {
      const command = new GetSnapshotBlockCommand({ SnapshotId, BlockIndex, BlockToken });
      const { BlockData, Checksum } = await client.send(command);
      const bytes = (await BlockData?.transformToByteArray()) ?? new Uint8Array(0);
      if (hash("sha256", bytes, "base64") !== Checksum) throw new Error("wrong bytes");
    },
    close: () => client.destroy(),
  };
}
