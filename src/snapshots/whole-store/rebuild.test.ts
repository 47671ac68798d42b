import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { blockContents } from "../../../test/support/property.ts";
import { startService } from "../../../test/support/service.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { digestOf } from "../../blocks/hash.ts";
import { checksumOf } from "../../model/digest.ts";
import type { EncryptionKey } from "../../model/encryption-key.ts";
import type { SnapshotId } from "../../model/ids.ts";
import { rebuildStore } from "../../rebuild-store.ts";
import type { Service } from "../../service.ts";
import { completeSnapshot } from "../complete-snapshot.ts";
import { putSnapshotBlock } from "../put-snapshot-block.ts";
import { startSnapshot } from "../start-snapshot.ts";

const KEY_GONE = /The encryption key of domain k\w+ is gone: destroyed, or lost/;

test("a key destroyed takes its snapshots with it in a rebuild, and no others", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const service = await startService(t, { dataDirectory, collectMinutes: 0 });
  const { core, firstKey } = service;
  const key = await core.keys.create(firstKey.key.account, "soon gone");
  const open = await completed(service, undefined);
  const secret = await completed(service, key);
  const gone = { state: "destroyed", secrets: [], deletionAtMs: undefined } as const;
  assert.ok(await core.catalog.encryption.replace(key, { ...key, ...gone }));
  await service.close();
  const rebuilt = await rebuildWithoutCatalog(dataDirectory);
  assert.equal(rebuilt.snapshotCount, 2, "that it was there is known from the journal");
  assert.deepEqual(
    rebuilt.incomplete.map(({ snapshotId }) => snapshotId),
    [secret],
  );
  assert.match(rebuilt.incomplete[0]?.reason ?? "", KEY_GONE);
  assert.notEqual(open, secret);
});

test("a key that is in no journal yet keeps nothing else from being rebuilt", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const service = await startService(t, { dataDirectory, collectMinutes: 0 });
  const { core, firstKey } = service;
  // What a power cut right after the completion leaves: everything but the entry about the key.
  core.catalog.journal.changes = async () => [];
  const key = await core.keys.create(firstKey.key.account, "known to the catalog alone");
  const open = await completed(service, undefined);
  await completed(service, key);
  await service.close();
  const rebuilt = await rebuildWithoutCatalog(dataDirectory);
  assert.deepEqual([rebuilt.snapshotCount, rebuilt.incomplete], [1, []]);
  assert.equal(rebuilt.unreadable.length, 1, "the manifest of the other");
  assert.match(rebuilt.unreadable[0] ?? "", KEY_GONE);
  const again = await startService(t, { dataDirectory, collectMinutes: 0 });
  assert.equal((await again.core.catalog.snapshots.get(open))?.state, "completed");
});

async function rebuildWithoutCatalog(dataDirectory: string) {
  for (const end of ["", "-wal"]) {
    await rm(join(dataDirectory, `catalog.sqlite${end}`), { force: true });
  }
  return rebuildStore({ dataDirectory });
}

/** A completed snapshot with one block. */
async function completed(
  { core, firstKey }: Service,
  key: EncryptionKey | undefined,
): Promise<SnapshotId> {
  const { account } = firstKey.key;
  const kmsKeyArn = key && `arn:aws:kms:${core.region}:${account}:key/${key.id}`;
  const { id } = await startSnapshot(core, account, { ...START, kmsKeyArn, encrypted: !!key });
  const bytes = blockContents(1);
  const named = { snapshotId: id, blockIndex: 0, dataLength: bytes.length };
  const input = { ...named, checksum: checksumOf(digestOf(bytes)), checksumAlgorithm: "SHA256" };
  await putSnapshotBlock(core, account, { input, bytes });
  const counted = { changedBlocksCount: 1, linearDigest: undefined };
  await completeSnapshot(core, account, { snapshotId: id, ...counted });
  await core.sealer.idle();
  return id;
}

const START = {
  volumeSizeGib: 1,
  parentSnapshotId: undefined,
  tags: [],
  description: undefined,
  clientToken: undefined,
  timeoutMinutes: undefined,
};
