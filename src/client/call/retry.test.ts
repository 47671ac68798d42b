import assert from "node:assert/strict";
import { test } from "node:test";
import { type Clock, systemClock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import { ClientError } from "../errors.ts";
import { delayBoundMs, isRetryable, type RetryPolicy, withRetries } from "./retry.ts";
import { RetryBudget } from "./retry-budget.ts";

const throttled = serviceError({ status: 400, code: "ThrottlingException" });
const refused = new ClientError({
  kind: "connection",
  operation: "ListSnapshotBlocks",
  code: "ECONNREFUSED",
  message: "connect ECONNREFUSED",
});

function serviceError(parts: {
  readonly status: number;
  readonly code: string;
  readonly message?: string;
  readonly reason?: string;
}): ClientError {
  const base = { kind: "service", operation: "PutSnapshotBlock", message: "no" } as const;
  return new ClientError({ ...base, ...parts });
}

/** A clock on which nobody waits, and what they would have waited. */
function policy(change: Partial<RetryPolicy> = {}): RetryPolicy & { readonly sleeps: number[] } {
  const sleeps: number[] = [];
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    sleep: async (durationMs, signal) => {
      signal?.throwIfAborted();
      sleeps.push(durationMs);
    },
  };
  const random: Random = { bytes: (length) => new Uint8Array(length), fraction: () => 0.5 };
  return { clock, random, attemptsMax: 8, hasAnswered: () => true, sleeps, ...change };
}

async function countAttempts(error: unknown, to: RetryPolicy): Promise<number> {
  let attempts = 0;
  const failing = withRetries(to, async () => {
    attempts += 1;
    throw error;
  });
  await assert.rejects(failing, (thrown) => thrown === error);
  return attempts;
}

test("waits a random share of a bound that doubles up to 5 s", async () => {
  const waiting = policy();
  assert.equal(await countAttempts(throttled, waiting), 8);
  assert.deepEqual(waiting.sleeps, [50, 100, 200, 400, 800, 1600, 2500]);
  assert.equal(delayBoundMs(1), 100);
  assert.equal(delayBoundMs(60), 5_000);
});

test("answers with the first success and tells of the failures before it", async () => {
  const events: string[] = [];
  const telling = policy({
    onRetry: ({ attempt, error }) => events.push(`${attempt} ${error.code}`),
  });
  const answer = await withRetries(telling, async (attempt) => {
    if (attempt < 3) throw throttled;
    return attempt;
  });
  assert.equal(answer, 3);
  assert.deepEqual(events, ["1 ThrottlingException", "2 ThrottlingException"]);
});

test("repeats what may succeed later and nothing else", () => {
  const repeated = [
    { status: 500, code: "InternalServerException" },
    { status: 503, code: "HTTP 503" },
    { status: 429, code: "HTTP 429" },
    { status: 400, code: "RequestThrottledException" },
    { status: 400, code: "RequestTimeout" },
    { status: 409, code: "ConflictException", reason: "CONFLICTING_BLOCK_UPDATE" },
    { status: 400, code: "ValidationException", message: "Failed to read block data" },
  ];
  for (const parts of repeated) assert.equal(isRetryable(serviceError(parts)), true, parts.code);
  const final = [
    { status: 400, code: "ValidationException" },
    { status: 403, code: "AccessDeniedException" },
    { status: 404, code: "ResourceNotFoundException" },
    { status: 409, code: "ConflictException" },
    { status: 402, code: "ServiceQuotaExceededException" },
  ];
  for (const parts of final) assert.equal(isRetryable(serviceError(parts)), false, parts.code);
});

test("does not repeat an error of another kind", async () => {
  assert.equal(await countAttempts(new TypeError("a mistake of ours"), policy()), 1);
});

test("gives up soon on a service that never answered, and late on one that did", async () => {
  assert.equal(await countAttempts(refused, policy({ hasAnswered: () => false })), 3);
  assert.equal(await countAttempts(refused, policy()), 8);
});

test("an abort ends the waiting", async () => {
  const abort = new AbortController();
  let attempts = 0;
  const aborted = withRetries(policy({ signal: abort.signal }), async () => {
    attempts += 1;
    abort.abort(new Error("enough"));
    throw throttled;
  });
  await assert.rejects(aborted, /enough/);
  assert.equal(attempts, 1);
});

test("what is no time for is not waited for, and the last error is told", async () => {
  let left = 1_000;
  const plain = policy();
  const clock: Clock = {
    ...plain.clock,
    // The call's whole time never ends here; what is left of it decides.
    sleep: (ms, signal) => (ms === 700 ? new Promise(() => {}) : plain.clock.sleep(ms, signal)),
  };
  const bounded = policy({ clock, remainingMs: () => left });
  let attempts = 0;
  const failing = withRetries(bounded, async () => {
    attempts += 1;
    left -= 300;
    throw throttled;
  });
  await assert.rejects(failing, (thrown) => thrown === throttled);
  assert.equal(attempts, 3, "the delay after the third attempt is 200 ms, and 100 ms are left");
  assert.deepEqual(plain.sleeps, [50, 100]);
});

test("a call's whole time ends the attempt under way", async () => {
  const startedAtMs = systemClock.monotonicMs();
  const remainingMs = () => Math.max(0, startedAtMs + 100 - systemClock.monotonicMs());
  const real = policy({ clock: systemClock, remainingMs });
  let attempts = 0;
  const hanging = withRetries(real, async (number, signal) => {
    attempts = number;
    if (number === 1) throw throttled;
    await systemClock.sleep(60_000, signal);
  });
  await assert.rejects(hanging, (thrown) => thrown === throttled);
  assert.equal(attempts, 2);
  assert.ok(systemClock.monotonicMs() - startedAtMs < 10_000);
});

test("calls share one budget, and slow down or stop when it is spent", async () => {
  const budget = new RetryBudget();
  for (let i = 0; i < 100; i++) budget.take(0);
  const waiting = policy({ budget, attemptsMax: 3 });
  assert.equal(await countAttempts(throttled, waiting), 3);
  assert.deepEqual(waiting.sleeps, [100, 200], "not 50 and 100");
  for (let i = 0; i < 400; i++) budget.take(0);
  assert.equal(await countAttempts(throttled, policy({ budget })), 1);
});

test("a certificate that is not trusted is told at once", async () => {
  const parts = { kind: "connection", operation: "ListSnapshotBlocks", message: "no" } as const;
  const untrusted = new ClientError({ ...parts, code: "SELF_SIGNED_CERT_IN_CHAIN" });
  assert.equal(await countAttempts(untrusted, policy()), 1);
});
