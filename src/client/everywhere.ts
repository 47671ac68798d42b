/* What both doors of the client library have: all that needs neither files nor modules of Node. */
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
} from "./api/admin-operations.ts";
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
export { type OnceKnownOptions, onceKnown } from "./api/once-known.ts";
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
export { filterMatcher, filterRequest, type SnapshotFilter } from "./api/snapshot-filter.ts";
export { getSnapshotProgress, type SnapshotProgress } from "./api/snapshot-progress.ts";
export {
  IMAGE_BYTES_TAG,
  SOURCE_SNAPSHOT_TAG,
  SOURCE_TAG,
  SOURCE_TIME_TAG,
  SOURCE_VOLUME_TAG,
  type TagPattern,
  volumeOf,
} from "./api/snapshot-tags.ts";
export { getCallerIdentity, getFederationToken, getSessionToken } from "./api/sts-operations.ts";
export { type WaitOptions, waitForSnapshot } from "./api/wait-for-snapshot.ts";
export type { CallOptions, Client } from "./call/client.ts";
export { isAwsEndpoint, type ServiceName } from "./call/endpoints.ts";
export { isCertificateError, isThrottling, type RetryEvent } from "./call/retry.ts";
export type { CredentialSource, ExpiringCredentials } from "./call/signer.ts";
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
export { type ComparedSnapshot, type Comparison, compareSnapshots } from "./inspect/compare.ts";
export { type DiffOptions, diffSnapshots, type SnapshotDiff } from "./inspect/diff.ts";
export {
  type ScrubOptions,
  type ScrubProgress,
  type ScrubResult,
  scrubStore,
} from "./inspect/scrub.ts";
export { type FoundSizes, findSizes, type SnapshotSizes } from "./inspect/sizes.ts";
export {
  type VerifyOptions,
  type VerifyProgress,
  type VerifyResult,
  verificationsOf,
  verifySnapshot,
} from "./inspect/verify.ts";
export { findHolds, type SnapshotHold, type SnapshotHolds } from "./prune/holds.ts";
export {
  decidePrune,
  isEmptyRules,
  type KeepRules,
  type PrunableSnapshot,
  type PruneDecision,
} from "./prune/keep-rules.ts";
export {
  type PrunedSnapshot,
  type PruneGrouping,
  type PruneOptions,
  type PruneResult,
  pruneSnapshots,
} from "./prune/prune.ts";
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
