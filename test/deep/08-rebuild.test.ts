import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../src/blocks/hash.ts";
import { checksumOf } from "../../src/model/digest.ts";
import type { AccountId } from "../../src/model/ids.ts";
import { rebuildStore } from "../../src/rebuild-store.ts";
import type { Service } from "../../src/service.ts";
import { completeSnapshot } from "../../src/snapshots/complete-snapshot.ts";
import { deleteSnapshot } from "../../src/snapshots/delete-snapshot.ts";
import { getSnapshotBlock } from "../../src/snapshots/get-snapshot-block.ts";
import { listSnapshotBlocks } from "../../src/snapshots/list-snapshot-blocks.ts";
import { putSnapshotBlock } from "../../src/snapshots/put-snapshot-block.ts";
import { startSnapshot } from "../../src/snapshots/start-snapshot.ts";
import { blockContents, pick, seededBytes, seededFraction } from "../support/property.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

/*
 * The catalog is lost, and made anew from the segments: every completed snapshot comes back, byte
 * for byte, with its tags, and so do accounts, keys, encryption keys, settings, images. What was
 * deleted stays deleted. On a healthy store nothing changes, and a copy of the segments taken while
 * the service runs is a backup.
 */

scorecard({
  number: 8,
  name: "rebuild from segments",
  goal: "all completed snapshots identical; a healthy store's files unchanged; ≥ 150 MB/s",
  peer: "restic repair index; borg check --repair lost data in 1.1.0 to 1.1.3",
  async run(run) {
    const dataDirectory = await temporaryDirectory(run);
    const service = await startService(run, { dataDirectory, collectMinutes: 0 });
    await fill(service, run);
    // A copy taken while it runs, the catalog left out: what is completed by now is in it.
    const { journaler } = service.core;
    await journaler.flush();
    const before = await stateOf(service);
    const copy = await copyOf(dataDirectory, run);
    await service.close();
    const healthy = await hashesOf(dataDirectory);
    const unchanged = await rebuildStore({ dataDirectory });
    assert.equal(unchanged.outcome, "healthy");
    assert.deepEqual(await hashesOf(dataDirectory), healthy, "a healthy store is left alone");
    const figures: string[] = [];
    for (const directory of [dataDirectory, copy]) {
      for (const end of ["", "-wal"]) {
        await rm(join(directory, `catalog.sqlite${end}`), { force: true });
      }
      const start = performance.now();
      const rebuilt = await rebuildStore({ dataDirectory: directory });
      const seconds = (performance.now() - start) / 1000;
      assert.deepEqual(
        [rebuilt.outcome, rebuilt.incomplete, rebuilt.unreadable],
        ["replaced", [], []],
      );
      const again = await startService(run, { dataDirectory: directory, collectMinutes: 0 });
      assert.deepEqual(await stateOf(again), before, "all of it is back");
      await again.close();
      const size = await sizeOf(join(directory, "segments"));
      figures.push(`${Math.round(size / 1e6 / seconds)} MB/s`);
    }
    const { snapshots } = before;
    return `${Object.keys(snapshots).length} of ${Object.keys(snapshots).length} snapshots \
identical, after a loss and from a copy; 0 bytes of a healthy store changed; ${figures[0]}`;
  },
});

/** Lineages, with children, deleted parents, zeros, encryption, a second account, an image. */
async function fill({ core, firstKey }: Service, run: ScorecardRun): Promise<void> {
  const { account } = firstKey.key;
  const fraction = seededFraction(run.seed);
  const encryptionKey = await core.keys.create(account, "a key of its own");
  const kmsKeyArn = `arn:aws:kms:${core.region}:${account}:key/${encryptionKey.id}`;
  await core.catalog.encryption.setDefaults(account, { keyId: encryptionKey.id });
  const other = "444455556666" as AccountId;
  await core.catalog.identity.addAccount(other);
  await core.catalog.settings.put(account, "a setting", "a value");
  await core.tokenSecrets.rotate({ revokes: false });
  let parent: string | undefined;
  for (let n = 0; n < run.count(400, 12); n++) {
    const isRoot = n % 5 === 0;
    const input = { ...START, parentSnapshotId: isRoot ? undefined : parent, tags: tagsOf(n) };
    const wish = isRoot && n % 2 === 0 ? { kmsKeyArn } : {};
    const { id } = await startSnapshot(core, account, { ...input, ...wish });
    const indexes = new Set(Array.from({ length: run.count(24, 6) }, () => pick(fraction, 1500)));
    for (const blockIndex of indexes) {
      // Every other does not compress, so that there are enough bytes to read.
      const number = pick(fraction, run.count(4_000, 40));
      const contents = number % 2 === 0 ? number : 8 * number + 7;
      await put(core, account, { id, blockIndex, bytes: blockContents(contents) });
    }
    const completion = { changedBlocksCount: indexes.size, linearDigest: undefined };
    await completeSnapshot(core, account, { snapshotId: id, ...completion });
    await core.sealer.idle();
    if (parent !== undefined && n % 3 === 0) await deleteSnapshot(core, account, parent);
    parent = id;
  }
  if (parent === undefined) return;
  await core.catalog.sharing.changeGrantees(parent as never, { add: [other], remove: [] });
  await core.catalog.snapshots.setTags(parent as never, [{ Key: "changed", Value: "later" }]);
  // One under way, which a loss of the catalog loses.
  const { id } = await startSnapshot(core, account, { ...START, parentSnapshotId: parent });
  await put(core, account, { id, blockIndex: 0, bytes: seededBytes("lost", 524_288) });
}

async function put(
  core: Service["core"],
  account: AccountId,
  { id, blockIndex, bytes }: { id: string; blockIndex: number; bytes: Uint8Array },
): Promise<void> {
  const common = { dataLength: bytes.length, checksumAlgorithm: "SHA256" };
  const checksum = checksumOf(digestOf(bytes));
  const input = { snapshotId: id, blockIndex, checksum, ...common };
  await putSnapshotBlock(core, account, { input, bytes });
}

const START = {
  volumeSizeGib: 1,
  description: "of a rebuild",
  clientToken: undefined,
  encrypted: undefined,
  kmsKeyArn: undefined,
  timeoutMinutes: undefined,
  parentSnapshotId: undefined,
  tags: [],
};

function tagsOf(n: number) {
  return n % 2 === 0 ? [] : [{ Key: "number", Value: String(n) }];
}

/** All that is known of completed snapshots, with the digest of each block as it is read. */
async function stateOf({ core, firstKey }: Service) {
  const { account } = firstKey.key;
  const snapshots: Record<string, unknown> = {};
  for (const snapshot of await core.catalog.snapshots.inState("completed")) {
    const snapshotId = snapshot.id;
    const all = { nextToken: undefined, maxResults: undefined, startingBlockIndex: undefined };
    const { blocks } = await listSnapshotBlocks(core, account, { snapshotId, ...all });
    const digests = [];
    for (const { blockIndex, blockToken } of blocks) {
      const block = await getSnapshotBlock(core, account, { snapshotId, blockIndex, blockToken });
      digests.push([blockIndex, digestOf(block.bytes)]);
    }
    const grantees = await core.catalog.sharing.grantees(snapshotId);
    const { expiresAtMs, parentRoot, parentBlockCount, completion, ...lasting } = snapshot;
    snapshots[snapshotId] = { ...lasting, grantees, digests };
  }
  const { catalog } = core;
  const keys = await catalog.identity.accessKeys(account);
  const encryptionKeys = await catalog.encryption.page(account, "", 100);
  const defaults = await catalog.encryption.defaults(account);
  const setting = await catalog.settings.get(account, "a setting");
  const accounts = await catalog.identity.accounts();
  const secrets = [
    await catalog.identity.secrets("token-secret"),
    await catalog.identity.secrets("session-secret"),
  ];
  return { snapshots, keys, encryptionKeys, defaults, setting, accounts, secrets };
}

async function copyOf(directory: string, run: ScorecardRun): Promise<string> {
  const copy = await temporaryDirectory(run);
  await mkdir(join(copy, "segments"), { recursive: true });
  for (const name of (await readdir(join(directory, "segments"))).sort()) {
    await cp(join(directory, "segments", name), join(copy, "segments", name));
  }
  for (const name of ["key-encryption-key", "credentials"]) {
    await cp(join(directory, name), join(copy, name));
  }
  return copy;
}

async function hashesOf(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const hashes: Record<string, string> = {};
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    hashes[path] = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  }
  return hashes;
}

async function sizeOf(directory: string): Promise<number> {
  const names = await readdir(directory);
  const sizes = await Promise.all(
    names.map(async (name) => (await stat(join(directory, name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
