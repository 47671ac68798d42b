import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ClientError,
  type ClientErrorKind,
  CopyError,
  EmptySourceError,
  FileError,
  SnapshotStateError,
  UploadError,
} from "../client/index.ts";
import { describeError } from "./describe-error.ts";
import { InterruptedError, NotDeletedError, TimeOverError } from "./errors.ts";
import { EXIT_CODES } from "./exit-codes.ts";

const endpoint = "http://127.0.0.1:7788";

type Answer = readonly [code: string, message: string, status?: number];

function clientError(kind: ClientErrorKind, ...[code, message, status]: Answer) {
  return new ClientError({ kind, code, message, status, operation: "GetSnapshotBlock" });
}

test("every failure has its exit code and one line that says what to do", () => {
  const shrank = new FileError("The image shrank.", { path: "i", code: "IMAGE_SHRANK" });
  const cases: [error: unknown, exitCode: number, message: RegExp][] = [
    [
      clientError("connection", "ECONNREFUSED", "connect ECONNREFUSED"),
      EXIT_CODES.unreachable,
      /^Cannot reach http:\S+: connection refused\. Is the service running\? .*varve serve$/,
    ],
    [clientError("connection", "ODD", "odd."), EXIT_CODES.unreachable, /: odd\. Is the service/],
    [
      clientError("service", "UnrecognizedClientException", "The token\nis invalid.", 403),
      EXIT_CODES.denied,
      /unknown, or its secret is wrong\. Check AWS_ACCESS_KEY_ID/,
    ],
    [
      clientError("service", "InvalidSignatureException", "Credential should be scoped to a", 403),
      EXIT_CODES.denied,
      /another region\. Give it with --region\.$/,
    ],
    [
      clientError("service", "InvalidSignatureException", "Signature expired: 2020", 403),
      EXIT_CODES.denied,
      /Check this machine's clock\.$/,
    ],
    [
      clientError("service", "ExpiredTokenException", "The security token … is expired", 403),
      EXIT_CODES.denied,
      /have expired\. .*varve key session$/,
    ],
    [
      clientError("service", "RequestExpired", "Request has expired.", 400),
      EXIT_CODES.denied,
      /varve key session$/,
    ],
    [
      clientError("service", "AccessDeniedException", "No", 403),
      EXIT_CODES.denied,
      /does not permit this to your access key: No\.$/,
    ],
    [
      clientError("service", "InvalidSignatureException", "passed in as x-amz-Checksum", 403),
      EXIT_CODES.damaged,
      /damaged/,
    ],
    [
      clientError("service", "ResourceNotFoundException", "No snapshot.", 404),
      EXIT_CODES.notFound,
      /^No snapshot\. .*varve list$/,
    ],
    [
      clientError("service", "InvalidSnapshot.NotFound", "No snapshot.", 400),
      EXIT_CODES.notFound,
      /varve list$/,
    ],
    [clientError("service", "ValidationException", "No", 400), EXIT_CODES.failure, /^No\. \(Val/],
    [clientError("integrity", "IntegrityError", "Damaged."), EXIT_CODES.damaged, /^Damaged\. /],
    [shrank, EXIT_CODES.file, /^The image shrank\.$/],
    [new SnapshotStateError("Checksum mismatch", "snap-1", "error"), EXIT_CODES.damaged, /mism/],
    [new SnapshotStateError("Still pending", "snap-1", "pending"), EXIT_CODES.failure, /^Still/],
    [new TimeOverError("Still pending."), EXIT_CODES.timeout, /^Still pending\.$/],
    [
      new EmptySourceError("No snapshot matches, and 1 copy would be deleted", true),
      EXIT_CODES.usage,
      /deleted\. If that is right, say so with --allow-empty-source\.$/,
    ],
    [
      new EmptySourceError("There is no snapshot", false),
      EXIT_CODES.usage,
      /^There is no snap\w+\.$/,
    ],
    [new NotDeletedError("snap-1", shrank), EXIT_CODES.file, /^snap-1 was not deleted: The image/],
    [new InterruptedError(), EXIT_CODES.interrupted, /^Interrupted\.$/],
    [new Error("odd"), EXIT_CODES.failure, /^odd\.$/],
    ["odd", EXIT_CODES.failure, /^odd\.$/],
  ];
  for (const [error, exitCode, message] of cases) {
    const description = describeError(error, endpoint);
    assert.equal(description.exitCode, exitCode, String(error));
    assert.match(description.message, message);
    assert.doesNotMatch(description.message, /\n/);
  }
  const wrapped = new UploadError(shrank, "snap-1", {
    text: "It was deleted.",
    isResumable: false,
  });
  const description = describeError(wrapped, endpoint);
  assert.equal(description.exitCode, EXIT_CODES.file);
  assert.equal(description.message, "The image shrank. It was deleted.");
  assert.equal(description.snapshotId, "snap-1");
});

test("the failure of a copy names its service, and what became of the copy", () => {
  const parts = { kind: "connection", operation: "GetSnapshotBlock", code: "EPIPE" } as const;
  const cause = new ClientError({ ...parts, message: "x", endpoint: "http://elsewhere:1" });
  const copy = { sourceSnapshotId: "snap-1", snapshotId: "snap-2", aftermath: "Go on." };
  const { exitCode, message, snapshotId } = describeError(new CopyError(cause, copy), endpoint);
  assert.deepEqual([exitCode, snapshotId], [EXIT_CODES.unreachable, "snap-2"]);
  assert.match(message, /^Cannot reach http:\/\/elsewhere:1: .* with: varve serve\. Go on\.$/);
  const { message: own } = describeError(new CopyError("Too many tags.", copy), endpoint);
  assert.equal(own, "Too many tags. Go on.");
});

test("nothing that a service or a file name says steers the terminal", () => {
  const parts = { operation: "ListSnapshotBlocks", status: 400, requestId: "r\u009b1" };
  const error = new ClientError({
    ...{ kind: "service", ...parts },
    code: "Odd\u001b[31m",
    message: "a\u001b[2Jb\u0007\r\nc\u009b2J\u007f",
  });
  const { message, code, requestId } = describeError(error, endpoint);
  assert.equal(message, "a?[2Jb? c?2J?. (Odd?[31m)");
  assert.deepEqual([code, requestId], ["Odd?[31m", "r?1"]);
  const file = new FileError("Cannot read \u001b]0;x\u0007.", { path: "x", code: "ENOENT" });
  assert.equal(describeError(file, endpoint).message, "Cannot read ?]0;x?.");
});
