import assert from "node:assert/strict";
import { test } from "node:test";
import { stubClient } from "../../../test/support/stub-client.ts";
import { ClientError } from "../errors.ts";
import { countExclusiveBlocks } from "./lineages.ts";

/* A service that carries out a few such calls at a time, and has others to do first. */

function setUp(errors: ClientError[]) {
  return stubClient(() => {
    const error = errors.shift();
    if (error) throw error;
    const step = { SnapshotId: "snap-0", ExclusiveBlockCount: 7, NextBlockIndex: null };
    return JSON.stringify(step);
  });
}

function refusal(code: string): ClientError {
  const parts = { kind: "service", operation: "CountExclusiveBlocks", status: 400 } as const;
  return new ClientError({ ...parts, code, message: "No." });
}

test("blocks are counted when the turn comes, with a pause before each question", async () => {
  const busy = refusal("RequestThrottledException");
  const { client, sleptMs } = setUp(Array.from({ length: 20 }, () => busy));
  assert.equal(await countExclusiveBlocks(client, "snap-0"), 7);
  assert.equal(sleptMs(), 20_000);
});

test("whatever else is refused is not asked for again", async () => {
  const denied = refusal("AccessDeniedException");
  const { client, sleptMs } = setUp([denied]);
  await assert.rejects(countExclusiveBlocks(client, "snap-0"), (thrown) => thrown === denied);
  assert.equal(sleptMs(), 0);
});
