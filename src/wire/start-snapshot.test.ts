import assert from "node:assert/strict";
import { test } from "node:test";
import {
  readStartSnapshotResponse,
  type StartSnapshotResponse,
  writeStartSnapshotResponse,
} from "./start-snapshot.ts";

const LEAST = {
  SnapshotId: "snap-0123456789abcdef0",
  OwnerId: "111122223333",
  Status: "pending",
  VolumeSize: 1,
};

/** What a client makes of a service's answer. */
function received(response: Partial<StartSnapshotResponse>): StartSnapshotResponse {
  const { body } = writeStartSnapshotResponse({ ...LEAST, ...response, startTimeMs: 1_000 });
  assert.ok(typeof body === "string");
  return readStartSnapshotResponse({
    status: 201,
    headers: new Map(),
    body: new TextEncoder().encode(body),
  });
}

test("what a new snapshot does not have is left out, as the type says", () => {
  assert.deepEqual(received({}), { ...LEAST, BlockSize: 524_288, StartTime: 1 });
});

test("what it has is told", () => {
  const told = {
    Description: "Monday",
    Tags: [{ Key: "disk", Value: "web" }],
    ParentSnapshotId: "snap-1123456789abcdef0",
    KmsKeyArn: "arn:aws:kms:us-east-1:111122223333:key/k",
  };
  assert.deepEqual(received(told), { ...LEAST, ...told, BlockSize: 524_288, StartTime: 1 });
});
