import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { RECORD_HEADER_BYTES } from "../../src/blocks/record.ts";
import type { StoredRecord } from "../../src/catalog/integrity.ts";
import { CorruptionError } from "../../src/model/errors.ts";
import type { SnapshotId } from "../../src/model/ids.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import type { BucketAddress } from "../../src/segments/bucket.ts";
import type { LogEntry, Service } from "../../src/service.ts";
import { forgetSettledWrites } from "../../src/snapshots/chores/expire-snapshots.ts";
import { deleteSnapshot } from "../../src/snapshots/delete-snapshot.ts";
import { pick, printSeed, seededFraction } from "../support/property.ts";
import { openBucket } from "../support/s3.ts";
import {
  SCALED_KEY as keyEncryptionKey,
  scaledStore,
  whyNoScaledStore,
} from "../support/scaled-store.ts";
import { startService } from "../support/service.ts";
import { checkAll, completed, put, started, type Written } from "./_stores.ts";

/*
 * Records rot in the bucket, are found and stored anew at one process or another, while others put
 * the same contents, delete what has them, and the leader collects and compacts: whoever is first,
 * nothing that a snapshot needs is lost, and what was damaged does not come back.
 */

const skip = whyNoScaledStore();
/** Damaged and healed again beside the collections; VARVE_HEALINGS asks for more. */
const HEALINGS = Number(process.env["VARVE_HEALINGS"] ?? 3);
/** Contents that everybody puts. */
const POOL = 6;
const KEPT_OF_A_WRITER = 2;
const HEAL_MS_MAX = 60_000;
/** What a service says of damage; of anything else nothing may be said. */
const OF_DAMAGE = /^A stored record is damaged|^A segment could not be given back/;

test("damage is healed beside puts, deletions and collections at other processes", {
  skip,
  timeout: 300_000,
}, async (t) => {
  const fraction = seededFraction(printSeed(t));
  const scaled = await scaledStore();
  const unexpected: LogEntry[] = [];
  const log = (entry: LogEntry) => {
    if (!OF_DAMAGE.test(entry.message)) unexpected.push(entry);
  };
  const config = { scaled, keyEncryptionKey, collectMinutes: 0, scrubDays: 0, log };
  const services = await Promise.all([1, 2, 3].map(() => startService(t, config)));
  const any = () => services[pick(fraction, services.length)] as Service;
  const written: Written = new Map();
  const lasting = await completed(any(), written, { seeds: poolSeeds() });
  let isOver = false;
  const tally = { collections: 0, segments: 0, snapshots: 0, damaged: 0, healed: 0 };
  const untilOver = async (work: () => Promise<void>) => {
    while (!isOver) await work();
  };
  const beside = Promise.all([
    untilOver(async () => {
      tally.segments += await collect(services);
      tally.collections += 1;
    }),
    ...[1, 2].map((n) => untilOver(writer(n, { any, fraction, written, tally }))),
  ]);
  let failure: Error | undefined;
  beside.catch((error: Error) => {
    failure = error;
  });
  try {
    // A collection may take longer than all healings; one at least gives back something.
    while (tally.healed < HEALINGS || tally.segments === 0) {
      if (failure) throw failure;
      tally.damaged += await damageOne(scaled.bucket, any(), fraction);
      tally.healed += await healAll(services, new Map([[lasting, written.get(lasting)]]));
    }
  } finally {
    isOver = true;
    await beside;
  }
  await healAll(services, written);
  for (let i = 0; i < 3; i++) await collect(services);
  for (const service of services) await checkAll(service, written);
  const { catalog } = any().core;
  assert.deepEqual(await catalog.blocks.damaged(10), [], "no damage is left");
  assert.deepEqual((await catalog.scrubs.findFaults()).faults, []);
  assert.deepEqual(unexpected, []);
  t.diagnostic(JSON.stringify(tally));
});

function poolSeeds(): string[] {
  return Array.from({ length: POOL }, (_, i) => `pool ${i}`);
}

/** At the process that leads now. Answers how many segments that gave back. */
async function collect(services: readonly Service[]): Promise<number> {
  const leader = services.find(({ core }) => core.leads());
  if (!leader) {
    await sleep(100);
    return 0;
  }
  const { core } = leader;
  await forgetSettledWrites(core);
  await core.journaler.flush();
  return (await core.collector.collect({ graceSeconds: 0, isDryRun: false })).segmentCount;
}

interface Load {
  readonly any: () => Service;
  readonly fraction: () => number;
  readonly written: Written;
  readonly tally: { snapshots: number };
}

/** Writes a snapshot of what everybody has and of something new, and deletes its oldest. */
function writer(n: number, { any, fraction, written, tally }: Load): () => Promise<void> {
  const own: SnapshotId[] = [];
  let count = 0;
  return async () => {
    const shared = Array.from({ length: 2 }, () => `pool ${pick(fraction, POOL)}`);
    const seeds = [...shared, `new ${n} ${count++}`];
    own.push(await completed(any(), written, { seeds }));
    tally.snapshots += 1;
    if (own.length <= KEPT_OF_A_WRITER) return;
    const id = own.shift() as SnapshotId;
    written.delete(id);
    const { core, firstKey } = any();
    assert.equal(await deleteSnapshot(core, firstKey.key.account, id), "deleted");
  };
}

/** Flips a bit of some block where it lies; the object is replaced in one step, as rot would. */
async function damageOne(
  address: BucketAddress,
  { core }: Service,
  fraction: () => number,
): Promise<number> {
  const all = await core.catalog.scrubs.recordsFrom({ segment: 0, offset: 0 }, 10_000);
  const blocks = all.filter(({ length }) => length > BLOCK_SIZE_BYTES / 2);
  const { segment, offset, length } = blocks[pick(fraction, blocks.length)] as StoredRecord;
  const { bucket, prefix, credentials, ...place } = address;
  const name = `segments/${String(segment).padStart(10, "0")}.segment`;
  const objects = await openBucket(address);
  const client = new S3Client({ ...place, ...(credentials && { credentials }), ...PATHS });
  try {
    const found = await objects.get(name);
    // Given back since it was looked up.
    if (!found) return 0;
    const bytes = Buffer.from(found);
    const at = offset + RECORD_HEADER_BYTES + pick(fraction, length - RECORD_HEADER_BYTES);
    bytes[at] = (bytes[at] ?? 0) ^ 0x10;
    const input = { Bucket: bucket, Key: prefix + name, Body: bytes };
    await client.send(new PutObjectCommand(input));
    return 1;
  } finally {
    client.destroy();
    objects.close();
  }
}

const PATHS = { forcePathStyle: true };

/**
 * Reads snapshots to the last block, and puts what is damaged once more, each time at the next
 * process; answers how many blocks that were.
 */
async function healAll(
  services: readonly Service[],
  snapshots: ReadonlyMap<SnapshotId, ReadonlyMap<number, string> | undefined>,
): Promise<number> {
  let healed = 0;
  for (const [id, blocks] of snapshots) {
    for (const [blockIndex, seed] of blocks ?? []) {
      let isDamaged = false;
      const startMs = performance.now();
      for (let turn = healed; !(await isWhole(services, turn, { id, blockIndex })); turn++) {
        isDamaged = true;
        assert.ok(performance.now() - startMs < HEAL_MS_MAX, `block ${blockIndex} of ${id} heals`);
        // Another process hears of the damage within about a second.
        const healer = services[(turn + 1) % services.length] as Service;
        const helper = await started(healer);
        await put(healer, helper, { blockIndex: 0, seed });
        await deleteSnapshot(healer.core, healer.firstKey.key.account, helper);
      }
      if (isDamaged) healed += 1;
    }
  }
  return healed;
}

/** False where the block cannot be read because of damage; of nothing else. */
async function isWhole(
  services: readonly Service[],
  turn: number,
  { id, blockIndex }: { readonly id: SnapshotId; readonly blockIndex: number },
): Promise<boolean> {
  const { core } = services[turn % services.length] as Service;
  const snapshot = await core.catalog.snapshots.get(id);
  assert.equal(snapshot?.state, "completed");
  const digest = await core.maps(snapshot.domain).lookup(snapshot.root as never, blockIndex);
  assert.ok(digest);
  try {
    await core.blocks.getBlock(snapshot.domain, digest);
    return true;
  } catch (error) {
    if (error instanceof CorruptionError) return false;
    throw error;
  }
}
