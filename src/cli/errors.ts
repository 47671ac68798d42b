/** A command line or a setting that makes no sense; the message says what would. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Stored data that failed verification; the result, told before, says which. */
export class DamagedDataError extends Error {
  override readonly name = "DamagedDataError";
}

/** Copies that could not be compared with their originals, though that was asked for. */
export class NotComparedError extends Error {
  override readonly name = "NotComparedError";
}

/** What was waited for did not come in the time given. */
export class TimeOverError extends Error {
  override readonly name = "TimeOverError";
}

/** Somebody pressed Ctrl-C, or asked the process to end. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";

  constructor() {
    super("Interrupted.");
  }
}

/** A transfer that ended early, and the command that goes on with it. */
export class ResumableError extends Error {
  override readonly name = "ResumableError";
  readonly command: string;

  constructor(cause: unknown, command: string) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.command = command;
  }
}

/** One of several snapshots that could not be deleted; `cause` says why. */
export class NotDeletedError extends Error {
  override readonly name = "NotDeletedError";
  readonly snapshotId: string;

  constructor(snapshotId: string, cause: unknown) {
    super(`${snapshotId} was not deleted`, { cause });
    this.snapshotId = snapshotId;
  }
}
