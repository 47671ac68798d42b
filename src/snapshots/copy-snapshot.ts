import { type AccountId, newSnapshotId } from "../model/ids.ts";
import { TIMEOUT_MINUTES_DEFAULT } from "../model/limits.ts";
import type { Snapshot, Tag } from "../model/snapshot.ts";
import { type Core, findVisible } from "./core.ts";
import { encodeManifest } from "./manifest.ts";
import { checkTags } from "./tags.ts";

/** Parameters of CopySnapshot. */
export interface CopySnapshotInput {
  readonly sourceSnapshotId: string;
  readonly description: string | undefined;
  readonly tags: readonly Tag[];
}

/**
 * Makes a new snapshot, owned by the caller, of the contents of one that the caller owns or that
 * is shared with it. Instant, whatever the size: the copy has the source's root, so it lies in
 * the source's domain and lineage, and keeps all it needs when the source is deleted. Answers
 * undefined when there is no such source, its state when it is not completed.
 */
export async function copySnapshot(
  core: Core,
  account: AccountId,
  input: CopySnapshotInput,
): Promise<Snapshot | "pending" | "error" | undefined> {
  checkTags(input.tags);
  const source = await findVisible(core, account, input.sourceSnapshotId);
  if (!source) return undefined;
  if (source.state === "error") return "error";
  if (source.state !== "completed") return "pending";
  const copy = copyOf(core, account, { source, input });
  // The same order as at completion: what is needed to bring it back first, then the row.
  await core.blocks.putManifest(copy.domain, encodeManifest(copy));
  await core.catalog.snapshots.start(copy, undefined);
  // Deleted meanwhile, its contents may be collected by now; the copy must not name them.
  if ((await core.catalog.snapshots.get(source.id)) !== undefined) return copy;
  const terms = { nowMs: core.clock.nowMs(), binnedUntilMs: undefined };
  await core.catalog.snapshots.delete(copy.id, terms);
  return undefined;
}

function copyOf(
  core: Core,
  account: AccountId,
  { source, input }: { readonly source: Snapshot; readonly input: CopySnapshotInput },
): Snapshot {
  const nowMs = core.clock.nowMs();
  return {
    ...source,
    id: newSnapshotId(core.random),
    account,
    stateMessage: undefined,
    parent: undefined,
    description: input.description,
    tags: input.tags,
    startTimeMs: nowMs,
    completionTimeMs: nowMs,
    timeoutMinutes: TIMEOUT_MINUTES_DEFAULT,
    expiresAtMs: nowMs,
    parentRoot: undefined,
    parentBlockCount: 0,
    writtenBlockCount: 0,
    completion: undefined,
  };
}
