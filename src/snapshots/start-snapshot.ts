import { assert } from "../base/assert.ts";
import { digestOf } from "../blocks/hash.ts";
import type { ClientTokenUse, EarlierStart } from "../catalog/catalog.ts";
import { invalid, ServiceError, snapshotNotFound } from "../model/errors.ts";
import { type AccountId, type Domain, newSnapshotId } from "../model/ids.ts";
import { TIMEOUT_MINUTES_DEFAULT, VOLUME_SIZE_GIB_MAX } from "../model/limits.ts";
import type { Snapshot, Tag } from "../model/snapshot.ts";
import { type CheckKeyUse, chooseDomain } from "./choose-domain.ts";
import { type Core, findOwned } from "./core.ts";
import { checkTags } from "./tags.ts";

/** Parameters of StartSnapshot, each within the bounds of its type. */
export interface StartSnapshotInput {
  readonly volumeSizeGib: number;
  readonly parentSnapshotId: string | undefined;
  readonly tags: readonly Tag[];
  readonly description: string | undefined;
  readonly clientToken: string | undefined;
  readonly encrypted: boolean | undefined;
  readonly kmsKeyArn: string | undefined;
  readonly timeoutMinutes: number | undefined;
  readonly checkKeyUse?: CheckKeyUse | undefined;
}

/**
 * Begins a snapshot in the state `pending`. With a parent it starts from all of the parent's
 * blocks, at no cost. The same client token with the same parameters answers the first snapshot
 * again, as it was then; with other parameters it is a ConflictException.
 */
export async function startSnapshot(
  core: Core,
  account: AccountId,
  input: StartSnapshotInput,
): Promise<Snapshot> {
  checkParameters(input);
  const token = tokenUse(input);
  // Before the parent is looked at: it may be gone by the time a lost answer is asked for again.
  const earlier = token && (await core.catalog.snapshots.startedWith(account, token));
  if (earlier) return replay(earlier, input);
  core.checkRoom();
  const parent = await findParent(core, account, input);
  const { checkKeyUse } = input;
  const domain = await chooseDomain(core, account, { wish: input, parent, checkKeyUse });
  const snapshot = newSnapshot(core, { account, input, parent, domain });
  const overtaking = await core.catalog.snapshots.start(snapshot, token);
  if (!overtaking) return snapshot;
  // Deleted since it was looked at: its blocks may be collected, so nothing can start from it.
  if (overtaking.outcome === "parent-gone") throw snapshotNotFound(input.parentSnapshotId ?? "");
  assert(overtaking.outcome !== "manifest-gone", "a pending snapshot has no manifest");
  return replay(overtaking, input);
}

function tokenUse({ clientToken, ...parameters }: StartSnapshotInput): ClientTokenUse | undefined {
  if (clientToken === undefined) return undefined;
  return { clientToken, fingerprint: digestOf(Buffer.from(JSON.stringify(parameters))) };
}

/** The answer that was given then; the snapshot's tags may have changed since. */
function replay(earlier: EarlierStart, { tags }: StartSnapshotInput): Snapshot {
  if (earlier.outcome === "replayed") return { ...earlier.snapshot, tags };
  const message = "Current request does not match request stored with this token.";
  throw new ServiceError("ConflictException", undefined, message);
}

function checkParameters(input: StartSnapshotInput): void {
  if (input.volumeSizeGib > VOLUME_SIZE_GIB_MAX) {
    throw invalid("INVALID_VOLUME_SIZE", `Invalid volume size: ${input.volumeSizeGib}`);
  }
  if (input.parentSnapshotId !== undefined) {
    const together = (name: string) =>
      invalid(
        "INVALID_PARAMETER_VALUE",
        `ParentSnapshotId and ${name} cannot be specified together`,
      );
    if (input.kmsKeyArn !== undefined) throw together("KmsKeyArn");
    if (input.encrypted !== undefined) throw together("Encrypt");
  }
  if (input.encrypted === false && input.kmsKeyArn !== undefined) {
    const message = "Encrypt cannot be false when KmsKeyArn is specified";
    throw invalid("INVALID_PARAMETER_VALUE", message);
  }
  checkTags(input.tags);
}

async function findParent(
  core: Core,
  account: AccountId,
  { parentSnapshotId, volumeSizeGib }: StartSnapshotInput,
): Promise<Snapshot | undefined> {
  if (parentSnapshotId === undefined) return undefined;
  const parent = await findOwned(core, account, parentSnapshotId);
  if (!parent || parent.state === "error") throw snapshotNotFound(parentSnapshotId);
  if (parent.state !== "completed") {
    const message = `Source snapshot (${parentSnapshotId}) is not complete.`;
    throw invalid("INVALID_SNAPSHOT_ID", message);
  }
  if (volumeSizeGib < parent.volumeSizeGib) {
    throw invalid("INVALID_VOLUME_SIZE", `Invalid volume size: ${volumeSizeGib}`);
  }
  return parent;
}

function newSnapshot(
  core: Core,
  from: {
    readonly account: AccountId;
    readonly input: StartSnapshotInput;
    readonly parent: Snapshot | undefined;
    readonly domain: Domain;
  },
): Snapshot {
  const { account, input, parent, domain } = from;
  const id = newSnapshotId(core.random);
  const startTimeMs = core.clock.nowMs();
  const timeoutMinutes = input.timeoutMinutes ?? TIMEOUT_MINUTES_DEFAULT;
  return {
    id,
    account,
    domain,
    state: "pending",
    stateMessage: undefined,
    parent: parent?.id,
    lineage: parent?.lineage ?? id,
    volumeSizeGib: input.volumeSizeGib,
    description: input.description,
    tags: input.tags,
    startTimeMs,
    completionTimeMs: undefined,
    timeoutMinutes,
    expiresAtMs: startTimeMs + timeoutMinutes * 60_000,
    parentRoot: parent?.root,
    parentBlockCount: parent?.blockCount ?? 0,
    root: undefined,
    blockCount: 0,
    writtenBlockCount: 0,
    completion: undefined,
    ...(parent?.writersRoot && { writersRoot: parent.writersRoot }),
  };
}
