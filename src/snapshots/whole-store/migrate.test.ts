import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FakeSegments, NO_SECRETS } from "../../../test/support/fakes.ts";
import { pendingSnapshot } from "../../../test/support/pending-snapshot.ts";
import { blockContents } from "../../../test/support/property.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { LruCache } from "../../base/lru-cache.ts";
import { BlockStore } from "../../blocks/block-store.ts";
import { digestOf } from "../../blocks/hash.ts";
import { openSqliteCatalog } from "../../catalog/sqlite/sqlite-catalog.ts";
import { DamagedWriteError } from "../../model/errors.ts";
import type { AccountId, Domain, SnapshotId } from "../../model/ids.ts";
import { BlockMaps } from "../../tree/block-map.ts";
import { migrateStore } from "./migrate.ts";

const ACCOUNT = "111122223333" as AccountId;
const [HURT, WHOLE] = ["snap-01", "snap-02"] as [SnapshotId, SnapshotId];

test("a snapshot of which a write is damaged is left behind, the others are not", async (t) => {
  const [source, target] = [await sideOf(t), await sideOf(t)];
  await source.catalog.identity.addAccount(ACCOUNT);
  const bytes = blockContents(0);
  for (const snapshotId of [HURT, WHOLE]) {
    await source.catalog.snapshots.start(pendingSnapshot(snapshotId, ACCOUNT), undefined);
    const target = { domain: ACCOUNT, snapshotId, blockIndex: 5, expiresAtMs: 0 };
    await source.blocks.putBlock(target, digestOf(bytes), bytes);
  }
  const { blocks } = source.catalog;
  const pendingWrites = blocks.pendingWrites.bind(blocks);
  blocks.pendingWrites = async (id, from, limit) => {
    if (id === HURT) throw new DamagedWriteError(id);
    return pendingWrites(id, from, limit);
  };
  const migrated = await migrateStore({ source, target });
  assert.deepEqual([migrated.leftBehind, migrated.pendingCount], [[HURT], 1]);
  const arrived = await target.catalog.blocks.pendingWrites(WHOLE, 0, 10);
  assert.deepEqual(
    arrived.map(({ blockIndex }) => blockIndex),
    [5],
  );
});

async function sideOf(t: TestContext) {
  const catalog = openSqliteCatalog(join(await temporaryDirectory(t), "catalog.sqlite"));
  t.after(() => catalog.close());
  const blocks = new BlockStore(new FakeSegments(), catalog, NO_SECRETS);
  const maps = (domain: Domain) =>
    new BlockMaps(blocks.nodeStore(domain), new LruCache(1, () => 1));
  return { catalog, blocks, maps };
}
