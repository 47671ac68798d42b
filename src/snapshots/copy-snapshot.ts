import { assert } from "../base/assert.ts";
import { CorruptionError } from "../model/errors.ts";
import { type AccountId, type Domain, isKeyDomain, newSnapshotId } from "../model/ids.ts";
import { NAMING_ATTEMPTS_MAX, TIMEOUT_MINUTES_DEFAULT } from "../model/limits.ts";
import type { Snapshot, Tag } from "../model/snapshot.ts";
import { type CheckKeyUse, chooseKey } from "./choose-domain.ts";
import { type Core, checkKeyUsable, findVisible } from "./core.ts";
import { encodeManifest } from "./manifest.ts";
import { checkTags } from "./tags.ts";

/** Parameters of CopySnapshot. */
export interface CopySnapshotInput {
  readonly sourceSnapshotId: string;
  readonly description: string | undefined;
  readonly tags: readonly Tag[];
  readonly encrypted: boolean | undefined;
  /** ARN or id of the key to encrypt the copy with; undefined for the account's default. */
  readonly kmsKeyId: string | undefined;
  /** True to leave the copy encrypted as the source is, or not at all; it is there at once then. */
  readonly keepsEncryption?: boolean;
  /** How the caller may use the keys of the source and of the copy. */
  readonly checkKeyUse?: { readonly source: CheckKeyUse; readonly target: CheckKeyUse } | undefined;
}

/**
 * Makes a new snapshot, owned by the caller, of the contents of one that the caller owns or that
 * is shared with it. Instant, whatever the size, where the copy is encrypted like the source: it
 * has the source's root, so it lies in the source's domain and lineage, and keeps all it needs
 * when the source is deleted. Otherwise its blocks are encrypted anew, which goes on by itself
 * while callers see the copy as pending. Answers undefined when there is no such source, its
 * state when it is not completed.
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
  if (isKeyDomain(source.domain)) await input.checkKeyUse?.source(source.domain);
  await checkKeyUsable(core, source);
  core.checkRoom();
  const domain = input.keepsEncryption
    ? source.domain
    : await domainForCopy(core, account, { source, input });
  const from = { source, input, domain };
  const copy =
    domain === source.domain
      ? await addCopy(core, account, from)
      : await startCopying(core, account, from);
  if (!copy) return undefined;
  // Deleted meanwhile, its contents may be collected by now; the copy must not name them.
  if ((await core.catalog.snapshots.get(source.id)) !== undefined) return copy;
  const terms = { nowMs: core.clock.nowMs(), binnedUntilMs: undefined };
  await core.catalog.snapshots.delete(copy.id, terms);
  return undefined;
}

/** Adds a copy that is complete at once. */
async function addCopy(core: Core, account: AccountId, from: CopyPlan): Promise<Snapshot> {
  const contents = copyOf(core, account, from);
  for (let attempt = 0; attempt < NAMING_ATTEMPTS_MAX; attempt++) {
    // The same order as at completion: what is needed to bring it back first, then the row.
    const manifest = await core.blocks.putManifest(contents.domain, encodeManifest(contents));
    const copy = { ...contents, manifest };
    const refusal = await core.catalog.snapshots.start(copy, undefined);
    if (!refusal) return copy;
    // Collected before it was named, which takes two runs in between: it is put again.
    assert(refusal.outcome === "manifest-gone", "a copy has no client token and is not pending");
  }
  throw new CorruptionError(`The manifest of copy ${contents.id} is stored, and cannot be found`);
}

/**
 * A copy of what is encrypted is encrypted, under the key asked for or the account's default;
 * saying that it is not to be changes nothing there, nor where an account encrypts by default.
 */
async function domainForCopy(
  core: Core,
  account: AccountId,
  { source, input }: { readonly source: Snapshot; readonly input: CopySnapshotInput },
): Promise<Domain> {
  const { byDefault } = await core.catalog.encryption.defaults(account);
  const { encrypted = false, kmsKeyId: name } = input;
  const isWanted = encrypted || byDefault || name !== undefined;
  if (!isKeyDomain(source.domain) && !isWanted) return source.domain;
  const checkKeyUse = input.checkKeyUse?.target;
  return (await chooseKey(core, account, { name, checkKeyUse })).domain;
}

interface CopyPlan {
  readonly source: Snapshot;
  readonly input: CopySnapshotInput;
  readonly domain: Domain;
}

/** The copy has a lineage of its own: snapshots of one lineage lie in one domain. */
async function startCopying(
  core: Core,
  account: AccountId,
  from: CopyPlan,
): Promise<Snapshot | undefined> {
  const { source, domain } = from;
  const copy = copyOf(core, account, from);
  const pending: Snapshot = {
    ...copy,
    state: "copying",
    domain,
    lineage: copy.id,
    completionTimeMs: undefined,
    root: undefined,
    blockCount: 0,
    writersRoot: undefined,
    // Its writes come from here; no caller's silence ends it.
    expiresAtMs: Number.MAX_SAFE_INTEGER,
  };
  const contents = { sourceDomain: source.domain, sourceRoot: source.root, nextIndex: 0 };
  // Deleted since it was looked at: its blocks may be collected, so nothing can be copied.
  const isStarted = await core.catalog.copies.start(pending, { sourceId: source.id, ...contents });
  if (!isStarted) return undefined;
  // A catalog that cannot be read is told by the next look for copies.
  core.copier.resume().catch(() => undefined);
  return pending;
}

function copyOf(
  core: Core,
  account: AccountId,
  { source, input }: Pick<CopyPlan, "source" | "input">,
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
    manifest: undefined,
  };
}
