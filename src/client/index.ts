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
export { createClient, type NodeClientOptions as ClientOptions } from "./call/create-client.ts";
export type { CopyProgress } from "./copy/copy.ts";
export {
  type CopyOptions,
  type CopyResult,
  type CopySnapshotsOptions,
  copySnapshots,
} from "./copy/copy.ts";
export {
  EmptySourceError,
  type SyncOptions,
  type SyncPlan,
  type SyncResult,
  syncSnapshots,
} from "./copy/sync.ts";
export { downloadLogPath, downloadSnapshot } from "./download/download.ts";
export type {
  ByteSink,
  DownloadOptions,
  DownloadProgress,
  DownloadResult,
} from "./download/download-options.ts";
export * from "./everywhere.ts";
export type { HoleSearch } from "./image/image.ts";
export {
  diffSnapshotWithImage,
  type ImageDiffOptions,
  type ImageDiffProgress,
} from "./inspect/diff-image.ts";
export {
  type ConnectionSettings,
  type GivenSettings,
  settingsFromAws,
} from "./settings/aws-settings.ts";
export type { Environment } from "./settings/profile-files.ts";
export { type LogEntry, TransferLog, type TransferLogOptions } from "./transfer/transfer-log.ts";
export type { TransferNote } from "./transfer/transfer-note.ts";
export { uploadSnapshot } from "./upload/upload.ts";
export type { UploadOptions, UploadProgress, UploadResult } from "./upload/upload-options.ts";
