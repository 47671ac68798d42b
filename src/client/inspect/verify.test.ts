import assert from "node:assert/strict";
import { test } from "node:test";
import { stubClient } from "../../../test/support/stub-client.ts";
import { readVerifySnapshotRequest } from "../../wire/verify-snapshot.ts";
import { ClientError } from "../errors.ts";
import { verifySnapshot } from "./verify.ts";

/* A verification among others: at a service that is busy, and of a snapshot that others verify. */

const ID = "snap-0123456789abcdef0";
const BLOCK_COUNT = 100;

const busy = refusal("RequestThrottledException", undefined);
const elsewhere = refusal("ValidationException", "INVALID_PARAMETER_VALUE");

function refusal(code: string, reason: string | undefined): ClientError {
  const parts = { kind: "service", operation: "VerifySnapshot", status: 400 } as const;
  return new ClientError({ ...parts, code, reason, message: "No." });
}

/** A service that answers each step, by where it begins, with the next block index or an error. */
function setUp(answer: (from: number | undefined) => number | null | ClientError) {
  return stubClient(({ request }) => {
    const input = readVerifySnapshotRequest(request, { snapshotId: ID });
    const NextBlockIndex = answer(input.StartingBlockIndex);
    if (NextBlockIndex instanceof ClientError) throw NextBlockIndex;
    const Outcome = NextBlockIndex === null ? "whole" : "verifying";
    const counts = { BlockCount: BLOCK_COUNT, BlocksVerified: NextBlockIndex ?? BLOCK_COUNT };
    const bad = { BadBlockCount: 0, BadExtents: [], BytesVerified: 0, Manifest: "whole" };
    return JSON.stringify({ SnapshotId: ID, ...counts, ...bad, NextBlockIndex, Outcome });
  });
}

test("a verification waits for its turn for as long as others go before", async () => {
  let refusals = 0;
  const { client, calls } = setUp((from = 0) => {
    if (from === 50 && refusals++ < 40) return busy;
    return from === 0 ? 50 : null;
  });
  const { outcome, seconds } = await verifySnapshot(client, { snapshotId: ID });
  assert.deepEqual([outcome, seconds], ["whole", 40]);
  assert.equal(calls.length, 42, "none of what was done is done again");
});

test("a signal ends the wait for the turn", async () => {
  const stop = new AbortController();
  const reason = new Error("stopped");
  let refusals = 0;
  const { client } = setUp(() => {
    if (++refusals === 5) stop.abort(reason);
    return busy;
  });
  const verifying = verifySnapshot(client, { snapshotId: ID, signal: stop.signal });
  await assert.rejects(verifying, (thrown) => thrown === reason);
  assert.equal(refusals, 5);
});

test("a verification that others begin anew goes on as long as it comes further", async () => {
  let reached = 10;
  const { client } = setUp((from = 0) => {
    // Each time it comes by one step further before somebody begins anew.
    if (from === reached) {
      reached += 10;
      return elsewhere;
    }
    return from + 10 < BLOCK_COUNT ? from + 10 : null;
  });
  assert.equal((await verifySnapshot(client, { snapshotId: ID })).outcome, "whole");
});

test("a verification that comes no further gives up", async () => {
  const { client, calls } = setUp((from = 0) => (from === 30 ? elsewhere : from + 10));
  const verifying = verifySnapshot(client, { snapshotId: ID });
  await assert.rejects(verifying, (thrown) => thrown === elsewhere);
  assert.equal(calls.length, 12, "three times three steps, and what each time failed");
});
