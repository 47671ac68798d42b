import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { digestOf } from "../../src/blocks/hash.ts";
import { OPEN_DOMAIN } from "../../src/blocks/journaler.ts";
import { checksumOf, type RecordName } from "../../src/model/digest.ts";
import type { AccountId, Domain } from "../../src/model/ids.ts";
import type { Service, ServiceConfig } from "../../src/service.ts";
import type { Collected } from "../../src/snapshots/chores/collector.ts";
import { forgetSettledWrites } from "../../src/snapshots/chores/expire-snapshots.ts";
import { completeSnapshot } from "../../src/snapshots/complete-snapshot.ts";
import type { Core } from "../../src/snapshots/core.ts";
import { deleteSnapshot } from "../../src/snapshots/delete-snapshot.ts";
import { getSnapshotBlock } from "../../src/snapshots/get-snapshot-block.ts";
import { listSnapshotBlocks } from "../../src/snapshots/list-snapshot-blocks.ts";
import { putSnapshotBlock } from "../../src/snapshots/put-snapshot-block.ts";
import { startSnapshot } from "../../src/snapshots/start-snapshot.ts";
import { reachable } from "../../src/tree/reachable.ts";
import type { MovingClock } from "./moving-clock.ts";
import { blockContents } from "./property.ts";
import { startService } from "./service.ts";

/** How tests collect: without a grace. */
export const NOW = { graceSeconds: 0, isDryRun: false };

/** Blocks and what they hold, by number. */
export type Writes = [blockIndex: number, contents: number][];

/** A store of a test, by the given clock. */
export async function openCollectedStore(
  t: TestContext,
  clock?: MovingClock,
): Promise<CollectedStore> {
  const store = new CollectedStore(t, clock);
  await store.restart();
  return store;
}

/** A service and its core, driven without HTTP; what is in its store is counted to the byte. */
class CollectedStore {
  readonly #t: TestContext;
  readonly #config: Partial<ServiceConfig>;
  #service: Service | undefined;

  constructor(t: TestContext, clock: MovingClock | undefined) {
    this.#t = t;
    this.#config = { collectMinutes: 0, ...(clock ? { clock } : {}) };
  }

  get service(): Service {
    assert.ok(this.#service);
    return this.#service;
  }

  get core(): Core {
    return this.service.core;
  }

  get account(): AccountId {
    return this.service.firstKey.key.account;
  }

  /** Closes the service, if it runs, and opens it on its folder. */
  async restart(): Promise<void> {
    const earlier = this.#service;
    await earlier?.close();
    const where = earlier ? { dataDirectory: earlier.dataDirectory } : {};
    this.#service = await startService(this.#t, { ...this.#config, ...where });
  }

  async start(parentSnapshotId: string | undefined): Promise<string> {
    const input = { ...START, parentSnapshotId };
    return (await startSnapshot(this.core, this.account, input)).id;
  }

  async put(snapshotId: string, writes: Writes): Promise<void> {
    for (const [blockIndex, contents] of writes) {
      const bytes = blockContents(contents);
      const checksum = checksumOf(digestOf(bytes));
      const common = { dataLength: bytes.length, checksumAlgorithm: "SHA256" };
      const input = { snapshotId, blockIndex, checksum, ...common };
      await putSnapshotBlock(this.core, this.account, { input, bytes });
    }
  }

  async complete(snapshotId: string, changedBlocksCount: number): Promise<void> {
    const input = { snapshotId, changedBlocksCount, linearDigest: undefined };
    await completeSnapshot(this.core, this.account, input);
    await this.core.sealer.idle();
  }

  async snapshot(parent: string | undefined, writes: Writes): Promise<string> {
    const id = await this.start(parent);
    await this.put(id, writes);
    await this.complete(id, writes.length);
    return id;
  }

  async delete(id: string): Promise<void> {
    await this.core.journaler.flush();
    assert.equal(await deleteSnapshot(this.core, this.account, id), "deleted");
  }

  async collect(): Promise<Collected> {
    await forgetSettledWrites(this.core);
    await this.core.journaler.flush();
    return this.core.collector.collect(NOW);
  }

  /** Bytes of all records that the catalog knows, but for those of the journal. */
  async stored(): Promise<number> {
    const { catalog, keys } = this.core;
    const live = await catalog.segments.liveBytes();
    const all = [...live.values()].reduce((sum, bytes) => sum + bytes, 0);
    const journal = [OPEN_DOMAIN, await keys.storeDomain(this.account)];
    const bytes = await Promise.all(journal.map((domain) => this.#entryBytes(domain)));
    return all - bytes.reduce((sum, each) => sum + each, 0);
  }

  async #entryBytes(domain: Domain): Promise<number> {
    const { blocks, liveness } = this.core.catalog;
    let bytes = 0;
    for (const name of await liveness.manifests(domain)) {
      bytes += (await blocks.locate(domain, name))?.length ?? Number.NaN;
    }
    return bytes;
  }

  /** The snapshot has these blocks and no other. */
  async check(snapshotId: string, writes: Writes): Promise<void> {
    const page = { nextToken: undefined, maxResults: undefined, startingBlockIndex: undefined };
    const { blocks } = await listSnapshotBlocks(this.core, this.account, { snapshotId, ...page });
    const indexes = blocks.map(({ blockIndex }) => blockIndex);
    assert.deepEqual(
      indexes,
      writes.map(([index]) => index),
    );
    for (const [i, { blockIndex, blockToken }] of blocks.entries()) {
      const input = { snapshotId, blockIndex, blockToken };
      const { bytes } = await getSnapshotBlock(this.core, this.account, input);
      assert.ok(Buffer.from(bytes).equals(blockContents(writes[i]?.[1] ?? 0)));
    }
  }

  /** What is stored is what the snapshots reach, their manifests included, to the byte. */
  async checkNothingElse(): Promise<void> {
    const { catalog, maps } = this.core;
    const needed = new Set<string>(await catalog.liveness.manifests(this.account));
    for (const { root } of await catalog.liveness.roots(this.account)) {
      const walk = reachable(maps(this.account), root, { others: [] });
      for await (const { node, blocks } of walk) {
        for (const digest of [node, ...blocks]) needed.add(digest);
      }
    }
    let bytes = 0;
    for (const name of needed) {
      const location = await catalog.blocks.locate(this.account, name as RecordName);
      bytes += location?.length ?? Number.NaN;
    }
    assert.equal(await this.stored(), bytes);
    assert.deepEqual(await catalog.garbage.domains(), []);
  }
}

/** Parameters of StartSnapshot, but for its parent. */
export const START = {
  volumeSizeGib: 1,
  tags: [],
  description: undefined,
  clientToken: undefined,
  encrypted: undefined,
  kmsKeyArn: undefined,
  timeoutMinutes: undefined,
};
