/** The errors of the EBS direct APIs that callers can tell apart; names as AWS spells them. */
export type ServiceErrorCode =
  | "AccessDeniedException"
  | "ConcurrentLimitExceededException"
  | "ConflictException"
  | "InternalServerException"
  | "InvalidSignatureException"
  | "RequestThrottledException"
  | "ResourceNotFoundException"
  | "ValidationException";

/** The reasons this service gives; the names are AWS's. */
export type ServiceErrorReason =
  | "DEPENDENCY_RESOURCE_NOT_FOUND"
  | "INVALID_BLOCK"
  | "INVALID_BLOCK_TOKEN"
  | "INVALID_CONTENT_ENCODING"
  | "INVALID_DEPENDENCY_REQUEST"
  | "INVALID_PAGE_TOKEN"
  | "INVALID_PARAMETER_VALUE"
  | "INVALID_SNAPSHOT_ID"
  | "INVALID_TAG"
  | "INVALID_VOLUME_SIZE"
  | "RESOURCE_LEVEL_THROTTLE"
  | "SNAPSHOT_NOT_FOUND"
  | "UNRELATED_SNAPSHOTS";

/** An answer other than success, meant for the caller of the API. */
export class ServiceError extends Error {
  readonly code: ServiceErrorCode;
  readonly reason: ServiceErrorReason | undefined;

  constructor(code: ServiceErrorCode, reason: ServiceErrorReason | undefined, message: string) {
    super(message);
    this.name = code;
    this.code = code;
    this.reason = reason;
  }
}

/** The store's disk is full, and what was asked for has not been done. */
export class DiskFullError extends ServiceError {
  constructor(options?: ErrorOptions) {
    const message =
      "The disk that holds this store is full, so it takes no new data; nothing was kept of this " +
      "request. Reading and deleting go on. Delete snapshots or give the disk room, then repeat.";
    super("InternalServerException", undefined, message);
    if (options) this.cause = options.cause;
  }
}

/** A new catalog for which the disk has no room, or which it failed to take. */
export class CatalogNotWrittenError extends Error {
  override readonly name = "CatalogNotWrittenError";

  constructor(path: string, options?: ErrorOptions) {
    const message =
      `The new catalog could not be written to ${path}: its disk is full, or failed. Nothing ` +
      "was replaced; give the disk room and rebuild once more";
    super(message, options);
  }
}

/** The store takes no change for now, and what was asked for has not been done. */
export class ReadOnlyError extends ServiceError {
  constructor() {
    const message =
      "This store is being brought to another place, so it takes no changes; nothing was kept of " +
      "this request. Reading goes on. Repeat it when the store is served from its new place.";
    super("InternalServerException", undefined, message);
  }
}

/**
 * Stored bytes are missing or do not match their name. Never "not found": something that was
 * acknowledged is damaged, and an operator must know.
 */
export class CorruptionError extends Error {
  override readonly name = "CorruptionError";
}

/** Where a block was put is damaged in the catalog: its snapshot can never be what was written. */
export class DamagedWriteError extends Error {
  override readonly name = "DamagedWriteError";

  constructor(snapshotId: string) {
    super(`A write to ${snapshotId} is damaged in the catalog; delete it and upload it once more`);
  }
}

/** What was encrypted under a key that is gone; it can never be read again. */
export class KeyDestroyedError extends Error {
  override readonly name = "KeyDestroyedError";

  constructor(domain: string) {
    super(
      `The encryption key of domain ${domain} is gone: destroyed, or lost with the record of it`,
    );
  }
}

/** A request that the API rules out, with the reason AWS gives for it. */
export function invalid(reason: ServiceErrorReason, message: string): ServiceError {
  return new ServiceError("ValidationException", reason, message);
}

/** What AWS says of a snapshot whose encryption key cannot be used. */
export function keyNotFound(): ServiceError {
  const message = "KMS key not found.";
  return new ServiceError("ResourceNotFoundException", "DEPENDENCY_RESOURCE_NOT_FOUND", message);
}

/** What AWS says of a snapshot that is unknown, unreadable or somebody else's. */
export function snapshotNotFound(...snapshotIds: readonly string[]): ServiceError {
  const names = snapshotIds.map((id) => `'${id}'`).join(" or ");
  const message = `The snapshot ${names} does not exist.`;
  return new ServiceError("ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", message);
}
