/*
 * The client library: the operations of the EBS direct APIs one by one, and upload, download and
 * diff made of them. Works with every service that speaks these APIs.
 *
 *     const credentials = { accessKeyId, secretAccessKey };
 *     const client = createClient({ endpoint: "http://127.0.0.1:7788", credentials });
 *     const { snapshotId } = await uploadSnapshot(client, { path: "disk.raw" });
 *     await downloadSnapshot(client, { snapshotId, path: "restored.raw" });
 *     client.close();
 */
export type { Clock } from "../base/clock.ts";
export type { Random } from "../base/random.ts";
export type { Extent } from "../model/extent.ts";
export type { Tag } from "../model/snapshot.ts";
export type {
  AccessKeyDescription,
  CreateAccessKeyResponse,
  GetAccessKeyResponse,
} from "../wire/admin/access-keys.ts";
export type { AuditEntry, ListAuditEntriesResponse } from "../wire/admin/audit.ts";
export type { CollectionDescription } from "../wire/admin/collections.ts";
export type { BlockLocation } from "../wire/admin/locate-block.ts";
export type { DamagedRecordDescription } from "../wire/admin/scrub.ts";
export type { ServiceDescription } from "../wire/admin/service.ts";
export type {
  ContextEntry,
  SimulatePolicyRequest,
  SimulatePolicyResponse,
  SimulationResult,
} from "../wire/admin/simulate-policy.ts";
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
export type { RotateTokenSecretsResponse } from "../wire/admin/token-secrets.ts";
export type { CompleteSnapshotResponse } from "../wire/complete-snapshot.ts";
export type { SnapshotDescription } from "../wire/ec2/describe-snapshots.ts";
export type { LockedSnapshotDescription } from "../wire/ec2/lock-snapshot.ts";
export type { RecycledSnapshotDescription } from "../wire/ec2/recycle-bin.ts";
export type { TemporaryCredentials } from "../wire/ec2/sessions.ts";
export type { GetSnapshotBlockResponse } from "../wire/get-snapshot-block.ts";
export type { BlockChecksum } from "../wire/list-block-digests.ts";
export type { ChangedBlock, ListChangedBlocksResponse } from "../wire/list-changed-blocks.ts";
export type { LineageDescription } from "../wire/list-lineages.ts";
export type { Block, ListSnapshotBlocksResponse } from "../wire/list-snapshot-blocks.ts";
export type { VerificationDescription } from "../wire/list-verifications.ts";
export type { PagingMembers } from "../wire/members.ts";
export type { PutSnapshotBlockResponse } from "../wire/put-snapshot-block.ts";
export type { StartSnapshotRequest, StartSnapshotResponse } from "../wire/start-snapshot.ts";
export {
  SOURCE_SNAPSHOT_TAG,
  SOURCE_TAG,
  SOURCE_TIME_TAG,
  SOURCE_VOLUME_TAG,
} from "./_copies.ts";
export type { CopyProgress } from "./_copy-transfer.ts";
export type { HoleSearch } from "./_image.ts";
export type { Environment } from "./_profile-files.ts";
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
  rotateTokenSecrets,
  simulatePolicy,
  startCollection,
  stopCollection,
  updateAccessKey,
} from "./admin-operations.ts";
export { type ConnectionSettings, type GivenSettings, settingsFromAws } from "./aws-settings.ts";
export type { CallOptions, Client } from "./client.ts";
export { type ComparedSnapshot, type Comparison, compareSnapshots } from "./compare.ts";
export {
  type CopyOptions,
  type CopyResult,
  type CopySnapshotsOptions,
  copySnapshots,
} from "./copy.ts";
export { createClient, type NodeClientOptions as ClientOptions } from "./create-client.ts";
export { type DiffOptions, diffSnapshots, type SnapshotDiff } from "./diff.ts";
export {
  diffSnapshotWithImage,
  type ImageDiffOptions,
  type ImageDiffProgress,
} from "./diff-image.ts";
export { downloadLogPath, downloadSnapshot } from "./download.ts";
export type {
  ByteSink,
  DownloadOptions,
  DownloadProgress,
  DownloadResult,
} from "./download-options.ts";
export {
  createTags,
  deleteSnapshot,
  deleteTags,
  describeSnapshots,
  snapshotsOf,
} from "./ec2-operations.ts";
export { isAwsEndpoint, type ServiceName } from "./endpoints.ts";
export {
  ClientError,
  type ClientErrorKind,
  CopyError,
  DownloadError,
  FileError,
  isAccessDenied,
  isSnapshotNotFound,
  SnapshotStateError,
  UploadError,
} from "./errors.ts";
export { findHolds, type SnapshotHold, type SnapshotHolds } from "./holds.ts";
export {
  decidePrune,
  isEmptyRules,
  type KeepRules,
  type KeepTag,
  type PrunableSnapshot,
  type PruneDecision,
} from "./keep-rules.ts";
export { countExclusiveBlocks, findLineages, lineagesOf } from "./lineages.ts";
export {
  type BlockPage,
  blockPagesOf,
  blocksOf,
  changedBlockPagesOf,
  changedBlocksOf,
  type ListingOptions,
} from "./listings.ts";
export {
  type CompleteSnapshotInput,
  completeSnapshot,
  getSnapshotBlock,
  type ListChangedBlocksInput,
  listBlockDigests,
  listChangedBlocks,
  listReadableBlocks,
  listSnapshotBlocks,
  type PutSnapshotBlockInput,
  putSnapshotBlock,
  startSnapshot,
} from "./operations.ts";
export {
  type PrunedSnapshot,
  type PruneGrouping,
  type PruneOptions,
  type PruneResult,
  pruneSnapshots,
} from "./prune.ts";
export { isCertificateError, isThrottling, type RetryEvent } from "./retry.ts";
export { type ScrubOptions, type ScrubProgress, type ScrubResult, scrubStore } from "./scrub.ts";
export {
  AccessDeniedException,
  ConcurrentLimitExceededException,
  ConflictException,
  InternalServerException,
  RequestThrottledException,
  ResourceNotFoundException,
  ServiceQuotaExceededException,
  ThrottlingException,
  ValidationException,
} from "./service-errors.ts";
export type { CredentialSource, ExpiringCredentials } from "./signer.ts";
export { type FoundSizes, findSizes, type SnapshotSizes } from "./sizes.ts";
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
} from "./snapshot-care.ts";
export { filterMatcher, filterRequest, type SnapshotFilter } from "./snapshot-filter.ts";
export { getSnapshotProgress, type SnapshotProgress } from "./snapshot-progress.ts";
export { getCallerIdentity, getFederationToken, getSessionToken } from "./sts-operations.ts";
export {
  EmptySourceError,
  type SyncOptions,
  type SyncPlan,
  type SyncResult,
  syncSnapshots,
} from "./sync.ts";
export { type LogEntry, TransferLog, type TransferLogOptions } from "./transfer-log.ts";
export type { TransferNote } from "./transfer-note.ts";
export { uploadSnapshot } from "./upload.ts";
export {
  IMAGE_BYTES_TAG,
  type UploadOptions,
  type UploadProgress,
  type UploadResult,
} from "./upload-options.ts";
export {
  type VerifyOptions,
  type VerifyProgress,
  type VerifyResult,
  verificationsOf,
  verifySnapshot,
} from "./verify.ts";
export { type WaitOptions, waitForSnapshot } from "./wait-for-snapshot.ts";
