import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Client,
  ClientError,
  completeSnapshot,
  deleteSnapshot,
  describeSnapshots,
  getSnapshotBlock,
  listSnapshotBlocks,
  putSnapshotBlock,
  startSnapshot,
} from "../../src/client/index.ts";
import { blockContents, pick, seededFraction } from "../support/property.ts";

/** How long one call may take, over all servers, before the test takes it for stuck. */
const CALL_MS_MAX = 90_000;
/** Blocks of a snapshot, at indexes from 0. */
const BLOCKS = 6;

/** A snapshot and the contents of its blocks, as they were acknowledged. */
export interface Written {
  readonly id: string;
  readonly blocks: ReadonlyMap<number, number>;
}

/** Whom to call: any of them, as through a load balancer that does not know which are well. */
export type Servers = () => readonly Client[];

/** Does a call at one server after the other, until one of them answers. */
export async function anywhere<T>(
  servers: Servers,
  fraction: () => number,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const endMs = performance.now() + CALL_MS_MAX;
  for (;;) {
    const all = servers();
    const client = all[pick(fraction, all.length)] as Client;
    try {
      return await work(client);
    } catch (error) {
      const isUnknown =
        error instanceof ClientError &&
        (error.kind === "connection" || (error.kind === "service" && (error.status ?? 0) >= 500));
      if (!isUnknown || performance.now() > endMs) throw error;
      await sleep(50);
    }
  }
}

/**
 * Writes snapshot after snapshot, each on the one before, deletes old ones, and answers what has to
 * be there at the end.
 */
export async function writeUntil(
  isOver: () => boolean,
  servers: Servers,
  seed: number,
): Promise<Written[]> {
  const fraction = seededFraction(seed);
  const call = <T>(work: (client: Client) => Promise<T>) => anywhere(servers, fraction, work);
  const kept: Written[] = [];
  for (let n = 0; !isOver() || kept.length === 0; n++) {
    const parent = kept.at(-1);
    const { SnapshotId: id } = await call((client) =>
      startSnapshot(client, {
        ...{ VolumeSize: 1, ClientToken: `load-${seed}-${n}`, Timeout: 60 },
        ParentSnapshotId: parent?.id,
      }),
    );
    const own = new Map<number, number>();
    for (let i = 0; i < BLOCKS; i++) {
      // Some contents are everybody's, so that they are stored by several at once.
      const contents = pick(fraction, 2) === 0 ? pick(fraction, 5) : seed * 1_000 + n * 10 + i;
      own.set(pick(fraction, BLOCKS), contents);
    }
    await Promise.all(
      [...own].map(([index, contents]) =>
        call((client) =>
          putSnapshotBlock(client, index, id, { BlockData: blockContents(contents) }),
        ),
      ),
    );
    await call((client) => completeSnapshot(client, id, { ChangedBlocksCount: own.size }));
    await completed(call, id);
    kept.push({ id, blocks: new Map([...(parent?.blocks ?? []), ...own]) });
    if (kept.length > 3) {
      const [oldest] = kept.splice(0, 1);
      await call((client) => deleteSnapshot(client, oldest?.id ?? "")).catch(toleratingGone);
    }
  }
  return kept;
}

type Call = <T>(work: (client: Client) => Promise<T>) => Promise<T>;

async function completed(call: Call, id: string): Promise<void> {
  const endMs = performance.now() + CALL_MS_MAX;
  for (;;) {
    const { Snapshots } = await call((client) => describeSnapshots(client, { SnapshotIds: [id] }));
    const [snapshot] = Snapshots;
    if (snapshot?.State === "completed") return;
    assert.equal(snapshot?.State, "pending", JSON.stringify(snapshot));
    assert.ok(performance.now() < endMs, `${id} is not stuck`);
    await sleep(100);
  }
}

/** Deleted by an attempt whose answer was lost. */
function toleratingGone(error: unknown): void {
  if (!(error instanceof ClientError) || error.code !== "InvalidSnapshot.NotFound") throw error;
}

/** Reads a snapshot at a server, and compares it with what was written; answers how many blocks. */
export async function check(client: Client, { id, blocks }: Written): Promise<number> {
  const { Blocks } = await listSnapshotBlocks(client, id, {});
  const indexes = [...blocks.keys()].sort((a, b) => a - b);
  assert.deepEqual(
    Blocks?.map(({ BlockIndex }) => BlockIndex),
    indexes,
    `the blocks of ${id}`,
  );
  for (const { BlockIndex, BlockToken } of Blocks ?? []) {
    const { BlockData } = await getSnapshotBlock(client, BlockIndex, id, BlockToken);
    const contents = blocks.get(BlockIndex) as number;
    const isSame = Buffer.compare(BlockData, blockContents(contents)) === 0;
    assert.ok(isSame, `block ${BlockIndex} of ${id} is what was written`);
  }
  return indexes.length;
}
