import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { digestOf } from "../../src/blocks/hash.ts";
import type { RecordName } from "../../src/model/digest.ts";
import type { SnapshotId } from "../../src/model/ids.ts";
import { CHECKPOINT_ROWS } from "../../src/model/limits.ts";
import { forgetSettledWrites } from "../../src/snapshots/chores/expire-snapshots.ts";
import { actionParts, putParts, send, snapshotOf, start } from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import { reopen } from "./reopen.ts";
import { Story } from "./story.ts";

/** Blocks of garbage in a folder that was used before, 512 KiB each: more than what is needed. */
const GARBAGE_BLOCKS = 12;

/** A folder that a service has used, and the story that was told there. */
export interface UsedStore {
  readonly directory: string;
  readonly story: Story;
}

/**
 * Makes one whose first segment is mostly garbage, of which a collection has taken note. So the
 * next collection removes that from the catalog, moves the records that are still needed, which
 * begins a segment, and removes the first one. With `goneCount` names of what is gone already these
 * are so many rows that the catalog carries over its log, which a short history would else never
 * come to.
 */
export async function useStore(
  directory: string,
  goneCount: number = CHECKPOINT_ROWS,
): Promise<UsedStore> {
  const story = new Story("earlier", 1, 100);
  await mkdir(directory, { recursive: true });
  await reopen(directory, async (service) => {
    await story.run(service);
    const { catalog, collector } = service.core;
    const snapshotId = await start(service);
    for (let blockIndex = 0; blockIndex < GARBAGE_BLOCKS; blockIndex++) {
      // These do not compress.
      const contents = blockContents(10_007 + 8 * blockIndex);
      await send(service, putParts({ snapshotId, blockIndex }, contents));
    }
    const domain = (await catalog.snapshots.get(snapshotId as SnapshotId))?.domain;
    assert.ok(domain);
    await send(service, actionParts("DeleteSnapshot", { SnapshotId: snapshotId }), {
      service: "ec2",
    });
    await forgetSettledWrites(service.core);
    // Names of which nothing is stored, as a tree leaves them that was collected before.
    const names = Array.from({ length: goneCount }, (_, i) => digestOf(Buffer.from([i >> 8, i])));
    await catalog.garbage.addCandidates(domain, names as unknown as RecordName[]);
    const found = await collector.collect({ graceSeconds: 0, isDryRun: false });
    assert.ok(found.doomedCount >= GARBAGE_BLOCKS + goneCount, "there is garbage");
  });
  // Its own segment, so that the first is not the newest, which stays.
  await reopen(directory, async (service) => {
    await snapshotOf(service, new Map([[0, blockContents(1)]]));
  });
  return { directory, story };
}
