import assert from "node:assert/strict";
import { test } from "node:test";
import { systemRandom } from "../../base/random.ts";
import type { Client } from "../call/client.ts";
import { ClientError } from "../errors.ts";
import { countExclusiveBlocks } from "./lineages.ts";

/* A service that carries out a few such calls at a time, and has others to do first. */

function setUp(errors: ClientError[]) {
  let sleptMs = 0;
  const sleep = async (durationMs: number) => {
    sleptMs += durationMs;
  };
  const client: Client = {
    endpoint: "http://127.0.0.1:1",
    region: "us-east-1",
    clock: { nowMs: () => sleptMs, monotonicMs: () => sleptMs, sleep },
    random: systemRandom,
    async send({ read }) {
      const error = errors.shift();
      if (error) throw error;
      const step = { SnapshotId: "snap-0", ExclusiveBlockCount: 7, NextBlockIndex: null };
      const body = new TextEncoder().encode(JSON.stringify(step));
      return read({ status: 200, headers: new Map(), body });
    },
    close: () => undefined,
  };
  return { client, sleptMs: () => sleptMs };
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
