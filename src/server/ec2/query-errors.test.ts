import assert from "node:assert/strict";
import { test } from "node:test";
import { pendingSnapshot } from "../../../test/support/pending-snapshot.ts";
import { DiskFullError, invalid, keyNotFound, ReadOnlyError } from "../../model/errors.ts";
import type { AccountId, SnapshotId } from "../../model/ids.ts";
import type { Core } from "../../snapshots/core.ts";
import { writeDescribeTierStatusResponse } from "../../wire/ec2/absent.ts";
import { QueryParameters, writeQueryErrorResponse } from "../../wire/ec2/query.ts";
import { ServiceFault } from "../../wire/errors.ts";
import { insteadFault } from "./absent-actions.ts";
import type { QueryCall } from "./query-call.ts";
import { forQueryService, rethrowForEc2 } from "./query-errors.ts";
import { tagFault } from "./tag-actions.ts";

test("EC2 and STS are told of a full disk, and of a store that takes no changes", () => {
  for (const error of [new DiskFullError(), new ReadOnlyError()]) {
    for (const service of ["ec2", "sts"] as const) {
      const told = forQueryService(service, error);
      const { status, body } = writeQueryErrorResponse(service, "id", told);
      assert.equal(status, 500);
      assert.ok(String(body).includes("<Code>InternalError</Code>"));
      assert.ok(String(body).includes(error.message.slice(0, 30)), String(body));
    }
  }
});

test("what fails while tags are put is told as what it is", () => {
  for (const error of [new DiskFullError(), new ReadOnlyError(), new Error("a bug")]) {
    assert.equal(tagFault(error), error);
  }
  const told = tagFault(invalid("INVALID_TAG", "too many"));
  assert.ok(told instanceof ServiceFault);
  assert.deepEqual([told.status, told.code], [400, "InvalidParameterValue"]);
  const unusable = () => rethrowForEc2(tagFault(keyNotFound()));
  assert.throws(unusable, { code: "InvalidParameterValue", message: "KMS key not found." });
});

test("a snapshot whose blocks are being copied is pending to whoever asks", async () => {
  const account = "111122223333" as AccountId;
  const snapshot = pendingSnapshot("snap-01" as SnapshotId, account, { state: "copying" });
  const { body } = writeDescribeTierStatusResponse("id", [snapshot], undefined);
  assert.match(String(body), /<status>pending</);
  const core = { catalog: { sharing: { visible: async () => snapshot } } } as unknown as Core;
  const form = "Action=CreateVolume&SnapshotId=snap-0123456789abcdef0";
  const parameters = new QueryParameters(new TextEncoder().encode(form));
  const call = { principal: { account }, parameters } as unknown as QueryCall;
  const fault = await insteadFault(core, call);
  assert.equal(fault?.message, "Snapshot is in invalid state - pending");
});
