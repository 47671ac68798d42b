import assert from "node:assert/strict";
import { test } from "node:test";
import { DiskFullError, ReadOnlyError, ServiceError } from "../../model/errors.ts";
import { ServiceFault } from "../errors.ts";
import { kmsFault, writeKmsErrorResponse } from "./message.ts";

function told(error: unknown): readonly [status: number, type: string, message: string] {
  const { status, body } = writeKmsErrorResponse(error);
  const { __type, message } = JSON.parse(String(body)) as { __type: string; message: string };
  return [status, __type, message];
}

test("KMS answers the service's own failures with 500, and says what to do", () => {
  for (const error of [new DiskFullError(), new ReadOnlyError()]) {
    assert.deepEqual(told(error), [500, "KMSInternalException", error.message]);
  }
  const [status, type, message] = told(new Error("a secret"));
  assert.deepEqual([status, type], [500, "KMSInternalException"]);
  assert.doesNotMatch(message, /secret/);
});

test("KMS answers every refusal with 400, a service that is away with 503", () => {
  const refused = new ServiceError("AccessDeniedException", undefined, "no");
  assert.deepEqual(told(refused), [400, "AccessDeniedException", "no"]);
  const throttled = new ServiceError("RequestThrottledException", undefined, "slower");
  assert.deepEqual(told(throttled), [400, "ThrottlingException", "slower"]);
  const fault = (status: number, code: string) => new ServiceFault({ status, code, message: "m" });
  assert.deepEqual(told(fault(403, "ExpiredTokenException")), [400, "ExpiredTokenException", "m"]);
  assert.deepEqual(told(kmsFault("NotFoundException", "m")), [400, "NotFoundException", "m"]);
  const away = "ServiceUnavailableException";
  assert.deepEqual(told(fault(503, away)), [503, away, "m"]);
});
