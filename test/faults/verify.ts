import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { digestOf } from "../../src/blocks/hash.ts";
import type { Digest } from "../../src/model/digest.ts";
import type { EncryptionKeyId, SnapshotId } from "../../src/model/ids.ts";
import type { Snapshot } from "../../src/model/snapshot.ts";
import type { Core } from "../../src/snapshots/core.ts";
import { blockContents } from "../support/property.ts";
import type { Story, Told } from "./story.ts";

/** What a story that ended anywhere is owed by the store, and what the store must not hold. */
export async function verify(core: Core, story: Story): Promise<number> {
  let blockCount = 0;
  for (const told of story.snapshots) blockCount += await verifySnapshot(core, told);
  for (const id of story.accessKeys) {
    assert.ok(await core.catalog.identity.accessKey(id), `access key ${id} is kept`);
  }
  for (const arn of story.encryptionKeys) {
    const id = arn.split("/").at(-1) as EncryptionKeyId;
    assert.ok(await core.catalog.encryption.get(id), `encryption key ${id} is kept`);
  }
  return blockCount;
}

/** Answers how many blocks were read. */
async function verifySnapshot(core: Core, told: Told): Promise<number> {
  if (told.id === undefined) return 0;
  const id = told.id as SnapshotId;
  let snapshot = await core.catalog.snapshots.get(id);
  const presence = presenceOf(snapshot);
  assert.ok(told.presence.has(presence), `${told.name} is ${presence}`);
  if (snapshot === undefined || presence !== "there") return 0;
  assert.notEqual(snapshot.state, "error", `${told.name} did not fail`);
  if (snapshot.state === "sealing") {
    assert.notEqual(told.completion, "none", `nobody asked for ${told.name} to be completed`);
    await core.sealer.seal(id);
    snapshot = (await core.catalog.snapshots.get(id)) as Snapshot;
  } else if (told.completion === "acknowledged") {
    assert.equal(snapshot.state, "completed", `${told.name} stays completed`);
  }
  const found =
    snapshot.state === "completed"
      ? await core.maps(snapshot.domain).entries(snapshot.root, 0, 10_000)
      : await core.blocks.pendingBlocks(snapshot, 0, 10_000);
  compare(told, snapshot, found);
  for (const { digest } of found) await core.blocks.getBlock(snapshot.domain, digest);
  return found.length;
}

function presenceOf(snapshot: Snapshot | undefined) {
  if (snapshot === undefined) return "gone";
  return snapshot.state === "recycled" ? "binned" : "there";
}

interface Found {
  readonly blockIndex: number;
  readonly digest: Digest;
}

function compare(told: Told, snapshot: Snapshot, found: readonly Found[]): void {
  const isCompleted = snapshot.state === "completed";
  const wanted = new Map(isCompleted ? told.parent?.blocks : []);
  for (const [blockIndex, contents] of told.blocks) wanted.set(blockIndex, contents);
  const { maybe } = told;
  for (const { blockIndex, digest } of found) {
    const contents = wanted.get(blockIndex);
    wanted.delete(blockIndex);
    const isRight = contents !== undefined && digestOfContents(contents) === digest;
    const isMaybe = maybe?.blockIndex === blockIndex && digestOfContents(maybe.contents) === digest;
    assert.ok(isRight || isMaybe, `block ${blockIndex} of ${told.name} is what was sent`);
  }
  assert.deepEqual([...wanted.keys()], [], `${told.name} lost what was acknowledged`);
}

const digests = new Map<number, Digest>();

function digestOfContents(contents: number): Digest {
  const digest = digests.get(contents) ?? digestOf(blockContents(contents));
  digests.set(contents, digest);
  return digest;
}

/** The files of a store that nobody has open: the catalog is whole and names nothing missing. */
export function audit(directory: string): void {
  const database = new DatabaseSync(join(directory, "catalog.sqlite"));
  try {
    const checks = database.prepare("PRAGMA integrity_check").all();
    assert.deepEqual(checks.map(Object.values), [["ok"]]);
    assert.deepEqual(database.prepare("PRAGMA foreign_key_check").all(), []);
    const ends = database
      .prepare("SELECT segment, max(offset + length) AS end FROM locations GROUP BY segment")
      .all() as { segment: number; end: number }[];
    for (const { segment, end } of ends) {
      const path = join(directory, "segments", `${String(segment).padStart(10, "0")}.segment`);
      assert.ok(existsSync(path), `segment ${segment} is there`);
      assert.ok(statSync(path).size >= end, `segment ${segment} holds all that is located in it`);
    }
  } finally {
    database.close();
  }
}
