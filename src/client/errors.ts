/** Where a call went wrong: at the service, on the way to it, or in the bytes that came back. */
export type ClientErrorKind = "service" | "connection" | "integrity";

/** What is known of a failed call. */
export interface ClientErrorParts {
  readonly kind: ClientErrorKind;
  /** The operation, as AWS spells it. */
  readonly operation: string;
  /** AWS's error code, the system's (`ECONNREFUSED`), or `IntegrityError`. */
  readonly code: string;
  readonly message: string;
  /** AWS's reason, where it gives one. */
  readonly reason?: string | undefined;
  /** HTTP status; undefined when there was no answer. */
  readonly status?: number | undefined;
  /** The service's name for the request, to look it up in its log. */
  readonly requestId?: string | undefined;
  /** Where the call went. */
  readonly endpoint?: string | undefined;
  readonly cause?: unknown;
}

/** A call that failed, after all attempts that made sense. */
export class ClientError extends Error {
  override readonly name: string = "ClientError";
  readonly kind: ClientErrorKind;
  readonly operation: string;
  readonly code: string;
  readonly reason: string | undefined;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly endpoint: string | undefined;

  constructor(parts: ClientErrorParts) {
    super(parts.message, { cause: parts.cause });
    this.kind = parts.kind;
    this.operation = parts.operation;
    this.code = parts.code;
    this.reason = parts.reason;
    this.status = parts.status;
    this.requestId = parts.requestId;
    this.endpoint = parts.endpoint;
  }

  /** AWS's reason under AWS's name for it. */
  get Reason(): string | undefined {
    return this.reason;
  }
}

/** Bytes that came back do not match what they were said to be. Asked for again, then thrown. */
export function integrityError(operation: string, message: string, cause?: unknown): ClientError {
  return new ClientError({ kind: "integrity", operation, code: "IntegrityError", message, cause });
}

const NOT_FOUND_CODES = new Set(["ResourceNotFoundException", "InvalidSnapshot.NotFound"]);

/** True when the service says that there is no such snapshot. */
export function isSnapshotNotFound(error: unknown): boolean {
  return error instanceof ClientError && NOT_FOUND_CODES.has(error.code);
}

/** True when the service refuses the caller: wrong keys, or no permission. */
export function isAccessDenied(error: unknown): boolean {
  if (!(error instanceof ClientError)) return false;
  // EC2 tells with 400 that temporary credentials have expired.
  return error.status === 401 || error.status === 403 || error.code === "RequestExpired";
}

/** A local file or disk that could not be used as asked; the message is a whole sentence. */
export class FileError extends Error {
  override readonly name = "FileError";
  readonly path: string;
  /** The system's code such as `ENOSPC`, or ours, such as `IMAGE_SHRANK`. */
  readonly code: string;

  constructor(
    message: string,
    parts: { readonly path: string; readonly code: string; readonly cause?: unknown },
  ) {
    super(message, { cause: parts.cause });
    this.path = parts.path;
    this.code = parts.code;
  }
}

/** A snapshot that did not reach the state `completed`. */
export class SnapshotStateError extends Error {
  override readonly name = "SnapshotStateError";
  readonly snapshotId: string;
  readonly state: string;

  constructor(message: string, snapshotId: string, state: string) {
    super(message);
    this.snapshotId = snapshotId;
    this.state = state;
  }
}

/** An upload that failed after its snapshot was started; `cause` says why. */
export class UploadError extends Error {
  override readonly name = "UploadError";
  readonly snapshotId: string;
  /** What became of the unfinished snapshot, as a sentence. */
  readonly aftermath: string;
  /** True where the same upload, run again, goes on with it. */
  readonly isResumable: boolean;

  constructor(
    cause: unknown,
    snapshotId: string,
    { text, isResumable }: { readonly text: string; readonly isResumable: boolean },
  ) {
    super(`${cause instanceof Error ? cause.message : String(cause)} ${text}`, { cause });
    this.snapshotId = snapshotId;
    this.aftermath = text;
    this.isResumable = isResumable;
  }
}

/** A download that failed when a part of it was written already; `cause` says why. */
export class DownloadError extends Error {
  override readonly name = "DownloadError";
  readonly snapshotId: string;
  /** Where what was written lies: the partial file, or the device. */
  readonly partPath: string;
  /** What became of it, as a sentence. */
  readonly aftermath: string;
  /** True where the same download, run again, goes on with it. */
  readonly isResumable: boolean;

  constructor(
    cause: unknown,
    { snapshotId, partPath }: { readonly snapshotId: string; readonly partPath: string },
  ) {
    const text = `What was written is kept in ${partPath}.`;
    super(`${cause instanceof Error ? cause.message : String(cause)} ${text}`, { cause });
    this.snapshotId = snapshotId;
    this.partPath = partPath;
    this.aftermath = text;
    this.isResumable = !isSnapshotNotFound(cause);
  }
}

/** A copy that could not be made; `cause` says why, unless the message says it all. */
export class CopyError extends Error {
  override readonly name = "CopyError";
  /** The snapshot to be copied. */
  readonly sourceSnapshotId: string;
  /** The copy, where one was begun. */
  readonly snapshotId: string | undefined;
  /** What became of it and what to do next, as sentences. */
  readonly aftermath: string;
  /** True where the snapshot to be copied was deleted meanwhile: nothing is left to go on with. */
  readonly isSourceGone: boolean;

  constructor(
    cause: unknown,
    parts: {
      readonly sourceSnapshotId: string;
      readonly snapshotId?: string | undefined;
      readonly aftermath: string;
      readonly isSourceGone?: boolean;
    },
  ) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`${why} ${parts.aftermath}`.trim(), { cause });
    this.sourceSnapshotId = parts.sourceSnapshotId;
    this.snapshotId = parts.snapshotId;
    this.aftermath = parts.aftermath;
    this.isSourceGone = parts.isSourceGone ?? false;
  }
}
