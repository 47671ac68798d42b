/*
 * The client library for browsers: everything but files. Requests go through `fetch`, blocks are
 * hashed by WebCrypto, and no module of Node is imported.
 *
 *     const client = createClient({ endpoint: location.origin, credentials });
 *     for await (const { BlockIndex, BlockToken } of blocksOf(client, snapshotId)) {
 *       const { BlockData } = await getSnapshotBlock(client, BlockIndex, snapshotId, BlockToken);
 *     }
 */
export type { Extent } from "../model/extent.ts";
export type { Tag } from "../model/snapshot.ts";
export type { AccessKeyDescription } from "../wire/admin/access-keys.ts";
export type { AuditEntry, ListAuditEntriesResponse } from "../wire/admin/audit.ts";
export type { CollectionDescription } from "../wire/admin/collections.ts";
export type { BlockLocation } from "../wire/admin/locate-block.ts";
export type { ServiceDescription } from "../wire/admin/service.ts";
export type { SimulatePolicyResponse, SimulationResult } from "../wire/admin/simulate-policy.ts";
export type {
  Activity,
  ActivityPoint,
  EngineStatus,
  LatencyQuantiles,
  SnapshotCounts,
  StoreSample,
  StoreSizes,
  StoreStatus,
  TaskDescription,
} from "../wire/admin/status.ts";
export type { StoreDescription } from "../wire/admin/store.ts";
export type { SnapshotDescription } from "../wire/ec2/describe-snapshots.ts";
export type { LockedSnapshotDescription } from "../wire/ec2/lock-snapshot.ts";
export type { RecycledSnapshotDescription } from "../wire/ec2/recycle-bin.ts";
export type { GetSnapshotBlockResponse } from "../wire/get-snapshot-block.ts";
export type { BlockChecksum } from "../wire/list-block-digests.ts";
export type { ChangedBlock, ListChangedBlocksResponse } from "../wire/list-changed-blocks.ts";
export type { LineageDescription } from "../wire/list-lineages.ts";
export type { Block, ListSnapshotBlocksResponse } from "../wire/list-snapshot-blocks.ts";
export type { VerificationDescription } from "../wire/list-verifications.ts";
export {
  createAccessKey,
  createAccount,
  deleteAccessKey,
  describeService,
  describeStore,
  getAccessKey,
  getCollection,
  getStoreStatus,
  listAccessKeys,
  listAccounts,
  listAuditEntries,
  listStoreSamples,
  locateBlock,
  simulatePolicy,
  startCollection,
  stopCollection,
  updateAccessKey,
} from "./api/admin-operations.ts";
export {
  completeSnapshot,
  getSnapshotBlock,
  listBlockDigests,
  listChangedBlocks,
  listSnapshotBlocks,
  putSnapshotBlock,
  startSnapshot,
} from "./api/ebs-operations.ts";
export {
  createTags,
  deleteSnapshot,
  deleteTags,
  describeSnapshots,
  snapshotsOf,
} from "./api/ec2-operations.ts";
export { countExclusiveBlocks, findLineages, lineagesOf } from "./api/lineages.ts";
export {
  type BlockPage,
  blockPagesOf,
  blocksOf,
  changedBlockPagesOf,
  changedBlocksOf,
  digestPagesOf,
  type ListingOptions,
} from "./api/listings.ts";
export {
  type EncryptionDefaults,
  findLock,
  getEncryptionDefaults,
  lockSnapshot,
  recycledSnapshotsOf,
  restoreSnapshot,
  setDefaultKey,
  setEncryptionByDefault,
  unlockSnapshot,
} from "./api/snapshot-care.ts";
export { filterMatcher, type SnapshotFilter } from "./api/snapshot-filter.ts";
export { getSnapshotProgress, type SnapshotProgress } from "./api/snapshot-progress.ts";
export { volumeOf } from "./api/snapshot-tags.ts";
export { getCallerIdentity } from "./api/sts-operations.ts";
export type { CallOptions, Client, ClientOptions } from "./call/client.ts";
export { createFetchClient as createClient } from "./call/create-fetch-client.ts";
export type { CredentialSource, ExpiringCredentials } from "./call/signer.ts";
export { ClientError, type ClientErrorKind, isAccessDenied, isSnapshotNotFound } from "./errors.ts";
export { type DiffOptions, diffSnapshots, type SnapshotDiff } from "./inspect/diff.ts";
export { type ScrubProgress, type ScrubResult, scrubStore } from "./inspect/scrub.ts";
export {
  type VerifyProgress,
  type VerifyResult,
  verificationsOf,
  verifySnapshot,
} from "./inspect/verify.ts";
export { isEmptyRules, type KeepRules, type PruneDecision } from "./prune/keep-rules.ts";
export {
  type PrunedSnapshot,
  type PruneGrouping,
  type PruneResult,
  pruneSnapshots,
} from "./prune/prune.ts";
