import { CommanderError } from "commander";
import {
  ClientError,
  CopyError,
  DownloadError,
  EmptySourceError,
  FileError,
  isAccessDenied,
  isAwsEndpoint,
  isCertificateError,
  isSnapshotNotFound,
  SnapshotStateError,
  UploadError,
} from "../client/index.ts";
import { CatalogNotWrittenError, DiskFullError } from "../model/errors.ts";
import {
  DamagedDataError,
  InterruptedError,
  NotComparedError,
  NotDeletedError,
  ResumableError,
  TimeOverError,
  UsageError,
} from "./errors.ts";
import { EXIT_CODES, type ExitCode } from "./exit-codes.ts";
import { printable } from "./output/format.ts";

/** A failure as people and programs are told of it. */
export interface FailureDescription {
  readonly exitCode: ExitCode;
  readonly code: string;
  /** What happened and what to do next, on one line. */
  readonly message: string;
  readonly operation?: string | undefined;
  readonly status?: number | undefined;
  readonly requestId?: string | undefined;
  /** The snapshot an upload had started, a download was reading, or that was not deleted. */
  readonly snapshotId?: string | undefined;
  /** What goes on where it ended. */
  readonly resumeCommand?: string | undefined;
}

/**
 * Puts any error in words; nobody ever sees a stack trace. What a service or a file's name puts in
 * them cannot steer the terminal.
 */
export function describeError(error: unknown, endpoint: string): FailureDescription {
  const { message, code, requestId, ...others } = describe(error, endpoint);
  return {
    ...others,
    message: printable(message.replace(/\s+/g, " ").trim()),
    code: printable(code),
    requestId: requestId && printable(requestId),
  };
}

function describe(error: unknown, endpoint: string): FailureDescription {
  if (error instanceof ResumableError) {
    const cause = describe(error.cause, endpoint);
    const { command: resumeCommand } = error;
    return { ...cause, message: `${cause.message} Go on with: ${resumeCommand}`, resumeCommand };
  }
  if (error instanceof NotDeletedError) {
    const cause = describe(error.cause, endpoint);
    const { snapshotId } = error;
    return { ...cause, message: `${error.message}: ${cause.message}`, snapshotId };
  }
  if (error instanceof UploadError || error instanceof DownloadError) {
    const cause = describe(error.cause, endpoint);
    const { snapshotId, aftermath } = error;
    return { ...cause, message: `${cause.message} ${aftermath}`, snapshotId };
  }
  if (error instanceof CopyError) {
    const { cause, snapshotId, aftermath } = error;
    const message = `${typeof cause === "string" ? cause : ""} ${aftermath}`;
    if (!(cause instanceof Error)) return { exitCode: EXIT_CODES.failure, code: "Copy", message };
    const why = describe(cause, endpoint);
    return { ...why, message: `${sentence(why.message)} ${aftermath}`, snapshotId };
  }
  if (error instanceof EmptySourceError) {
    const next = error.canBeAllowed ? " If that is right, say so with --allow-empty-source." : "";
    const message = `${sentence(error.message)}${next}`;
    return { exitCode: EXIT_CODES.usage, code: "EmptySource", message };
  }
  if (error instanceof ClientError) {
    const { operation, status, requestId } = error;
    return { ...describeClientError(error, endpoint), operation, status, requestId };
  }
  const { exitCode, code } = kindOf(error);
  const message = error instanceof Error ? error.message : String(error);
  return {
    exitCode,
    code,
    message: `${sentence(message.replace(/^error: /, ""))}${nextStep(code)}`,
  };
}

const NEXT_STEPS: Readonly<Record<string, string>> = {
  CommandLine: "See: varve help",
  TARGET_EXISTS: "Replace it with: --force",
  TRANSFER_DIFFERS: "Begin anew with: --restart",
  TRANSFER_RUNNING: "Wait for it, or end it.",
  VOLUME_SIZE_NEEDED: "Give it with: --volume-size GIB",
};

function nextStep(code: string): string {
  const next = NEXT_STEPS[code];
  return next === undefined ? "" : ` ${next}`;
}

function kindOf(error: unknown): { exitCode: ExitCode; code: string } {
  if (error instanceof FileError) return { exitCode: EXIT_CODES.file, code: error.code };
  if (error instanceof InterruptedError) {
    return { exitCode: EXIT_CODES.interrupted, code: "Interrupted" };
  }
  if (error instanceof DamagedDataError) return { exitCode: EXIT_CODES.damaged, code: "Damaged" };
  if (error instanceof NotComparedError) {
    return { exitCode: EXIT_CODES.failure, code: "NotCompared" };
  }
  if (error instanceof TimeOverError) return { exitCode: EXIT_CODES.timeout, code: "TimeOver" };
  if (error instanceof UsageError) return { exitCode: EXIT_CODES.usage, code: "Settings" };
  if (error instanceof CommanderError) return { exitCode: EXIT_CODES.usage, code: "CommandLine" };
  if (error instanceof SnapshotStateError) {
    // The service compared count and checksum of all blocks with ours, and they differ.
    const isMismatch = /mismatch/i.test(error.message);
    const exitCode = isMismatch ? EXIT_CODES.damaged : EXIT_CODES.failure;
    return { exitCode, code: "SnapshotState" };
  }
  if (error instanceof Error && error.name === "CredentialsProviderError") {
    return { exitCode: EXIT_CODES.denied, code: "NoCredentials" };
  }
  const exitCode = isOfDisk(error) ? EXIT_CODES.file : EXIT_CODES.failure;
  return { exitCode, code: error instanceof Error ? error.name : "Error" };
}

/** The system's codes where it is a disk or a file that cannot be used. */
const DISK_CODES = /^(EACCES|EDQUOT|EFBIG|EIO|EISDIR|ENOENT|ENOSPC|ENOTDIR|EPERM|EROFS)$/;
/** SQLite's primary result codes for the same: READONLY, IOERR, FULL and CANTOPEN. */
const SQLITE_DISK_CODES: readonly number[] = [8, 10, 13, 14];

/** True where a command that works on a store finds no use of its disk. */
function isOfDisk(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof DiskFullError || error instanceof CatalogNotWrittenError) return true;
  if (error.cause !== undefined) return isOfDisk(error.cause);
  const { code = "", syscall, errcode } = error as NodeJS.ErrnoException & { errcode?: number };
  if (errcode !== undefined) return SQLITE_DISK_CODES.includes(errcode & 0xff);
  return DISK_CODES.test(code) && syscall !== "listen";
}

/** The system's codes for connections that did not come about, in words. */
const CONNECTION_WORDS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet; check this machine's clock",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself",
  EAI_AGAIN: "its name cannot be looked up now",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was closed in the middle",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no network to reach it by",
  ENOTFOUND: "its name is not known",
  EPIPE: "the connection was closed in the middle",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  EPROTO: "it does not speak TLS; try http:// instead of https://",
  ETIMEDOUT: "it did not answer in time",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is from an authority that is not trusted here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is from an authority that is not known here",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is from an authority that is not known here",
};

function describeClientError(error: ClientError, ours: string): FailureDescription {
  const { code, message, endpoint = ours } = error;
  if (error.kind === "connection") {
    const why = CONNECTION_WORDS[code] ?? message.replace(/\.$/, "");
    const where = error.endpoint ?? endpoint;
    const text = `Cannot reach ${where}: ${why}. ${nextStepTo(where, error)}`;
    return { exitCode: EXIT_CODES.unreachable, code, message: text };
  }
  if (error.kind === "integrity" || message.includes("x-amz-Checksum")) {
    const next =
      "It was damaged on its way or in the store; try again, and look at the service's log.";
    return { exitCode: EXIT_CODES.damaged, code, message: `${message} ${next}` };
  }
  if (isSnapshotNotFound(error)) {
    const text = `${sentence(message)} See your completed snapshots with: varve list`;
    return { exitCode: EXIT_CODES.notFound, code, message: text };
  }
  if (isAccessDenied(error)) {
    return { exitCode: EXIT_CODES.denied, code, message: describeRefusal(error) };
  }
  return { exitCode: EXIT_CODES.failure, code, message: `${sentence(message)} (${code})` };
}

function nextStepTo(endpoint: string, error: ClientError): string {
  if (isCertificateError(error)) {
    return "Give the authority's certificate with --ca-file, or set AWS_CA_BUNDLE.";
  }
  if (isAwsEndpoint(endpoint)) return "Check the network, and the region given with --region.";
  return "Is the service running? Start it with: varve serve";
}

function describeRefusal({ code, message }: ClientError): string {
  if (/^ExpiredToken|^RequestExpired$/.test(code)) {
    return "The temporary credentials have expired. Get new ones with: varve key session";
  }
  if (/expired|not yet current/i.test(message)) {
    return `The service finds our time wrong: ${sentence(message)} Check this machine's clock.`;
  }
  if (code === "AccessDeniedException" || code === "UnauthorizedOperation") {
    return `The service does not permit this to your access key: ${sentence(message)}`;
  }
  const why = /scoped to|region/i.test(message)
    ? "the service runs as another region. Give it with --region."
    : "it is unknown, or its secret is wrong. Check AWS_ACCESS_KEY_ID and " +
      "AWS_SECRET_ACCESS_KEY, or --profile.";
  return `The service refuses your access key (${code}): ${why}`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text.trim()) ? text.trim() : `${text.trim()}.`;
}
