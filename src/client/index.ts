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
export type { CollectionDescription } from "../wire/admin/collections.ts";
export type { DamagedRecordDescription } from "../wire/admin/scrub.ts";
export type { SnapshotDescription } from "../wire/ec2/describe-snapshots.ts";
export type { TemporaryCredentials } from "../wire/ec2/sessions.ts";
export type { BlockChecksum } from "../wire/list-block-digests.ts";
export type { ChangedBlock } from "../wire/list-changed-blocks.ts";
export type { Block } from "../wire/list-snapshot-blocks.ts";
export type { VerificationDescription } from "../wire/list-verifications.ts";
export type { StartSnapshotRequest, StartSnapshotResponse } from "../wire/start-snapshot.ts";
export type { HoleSearch } from "./_image.ts";
export {
  createAccessKey,
  createAccount,
  deleteAccessKey,
  getAccessKey,
  getCollection,
  listAccessKeys,
  listAccounts,
  startCollection,
  updateAccessKey,
} from "./admin-operations.ts";
export { type CallOptions, type Client, type ClientOptions, createClient } from "./client.ts";
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
export { createTags, deleteSnapshot, describeSnapshots, snapshotsOf } from "./ec2-operations.ts";
export {
  ClientError,
  type ClientErrorKind,
  DownloadError,
  FileError,
  isAccessDenied,
  isSnapshotNotFound,
  SnapshotStateError,
  UploadError,
} from "./errors.ts";
export { blocksOf, changedBlocksOf } from "./listings.ts";
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
export type { RetryEvent } from "./retry.ts";
export { type ScrubOptions, type ScrubProgress, type ScrubResult, scrubStore } from "./scrub.ts";
export type { CredentialSource, ExpiringCredentials } from "./signer.ts";
export { getFederationToken, getSessionToken } from "./sts-operations.ts";
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
