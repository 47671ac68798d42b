import assert from "node:assert/strict";
import { test } from "node:test";
import { stubClient } from "../../../test/support/stub-client.ts";
import { ClientError } from "../errors.ts";
import { waitForSnapshot } from "./wait-for-snapshot.ts";

/* Waiting at an address that answers what a test wants. */

const completion = { ChangedBlocksCount: 0 };

/** Fails DescribeSnapshots; answers CompleteSnapshot with these states, one after another. */
function clientOf(describing: ClientError, states: readonly string[]) {
  let completions = 0;
  return stubClient(({ operation }) => {
    if (operation === "DescribeSnapshots") throw describing;
    return JSON.stringify({ Status: states[completions++] });
  });
}

function refusal(status: number, code: string): ClientError {
  const operation = "DescribeSnapshots";
  return new ClientError({ kind: "service", operation, code, status, message: "No." });
}

test("where describing is refused in any way, completing again tells the state", async () => {
  const refusals = [
    refusal(403, "UnauthorizedOperation"),
    refusal(400, "InvalidAction"),
    refusal(404, "HTTP 404"),
    refusal(405, "HTTP 405"),
    refusal(500, "InternalError"),
  ];
  for (const error of refusals) {
    const { client, calls } = clientOf(error, ["pending", "completed"]);
    await waitForSnapshot(client, "snap-0", { completion });
    const poll = ["DescribeSnapshots", "CompleteSnapshot"];
    assert.deepEqual(calls, [...poll, ...poll], error.code);
  }
});

test("a snapshot that is not there, or no answer at all, is told at once", async () => {
  const gone = refusal(400, "InvalidSnapshot.NotFound");
  const parts = { operation: "DescribeSnapshots", code: "ECONNRESET", message: "reset" };
  const lost = new ClientError({ kind: "connection", ...parts });
  for (const [error, options] of [
    [gone, {}],
    [lost, { completion }],
  ] as const) {
    const { client, calls } = clientOf(error, ["completed"]);
    const waiting = waitForSnapshot(client, "snap-0", options);
    await assert.rejects(waiting, (thrown) => thrown === error);
    assert.deepEqual(calls, ["DescribeSnapshots"]);
  }
});

test("one that the caller has just completed may be unknown for two minutes", async () => {
  const error = refusal(400, "InvalidSnapshot.NotFound");
  const never = clientOf(error, []);
  const waiting = waitForSnapshot(never.client, "snap-0", { completion });
  await assert.rejects(waiting, (thrown) => thrown === error);
  assert.equal(never.sleptMs(), 120_000);
  const shortly = clientOf(error, []);
  const inTime = waitForSnapshot(shortly.client, "snap-0", { completion, timeoutMs: 5_000 });
  await assert.rejects(inTime, (thrown) => thrown === error);
  assert.equal(shortly.sleptMs(), 5_000);
});

test("without what it was completed with, a refusal is told as such", async () => {
  const error = refusal(403, "UnauthorizedOperation");
  const { client } = clientOf(error, []);
  await assert.rejects(waitForSnapshot(client, "snap-0"), (thrown) => thrown === error);
});
