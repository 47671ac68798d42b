import assert from "node:assert/strict";
import { test } from "node:test";
import { MS_PER_HOUR } from "../model/limits.ts";
import type { SnapshotLock } from "../model/snapshot.ts";
import { lockState } from "./lock-snapshot.ts";

const LOCK: SnapshotLock = {
  mode: "compliance",
  createdAtMs: 1_000,
  expiresAtMs: 1_000 + 48 * MS_PER_HOUR,
  coolOffHours: 24,
};

test("lockState goes from cooling off to fixed to expired, each to the millisecond", () => {
  const cool = LOCK.createdAtMs + 24 * MS_PER_HOUR;
  const states = [0, LOCK.createdAtMs, cool - 1, cool, LOCK.expiresAtMs - 1, LOCK.expiresAtMs];
  assert.deepEqual(
    states.map((nowMs) => lockState(LOCK, nowMs)),
    [
      "compliance-cooloff",
      "compliance-cooloff",
      "compliance-cooloff",
      "compliance",
      "compliance",
      "expired",
    ],
  );
  assert.equal(lockState({ ...LOCK, coolOffHours: 0 }, LOCK.createdAtMs), "compliance");
  const governance = { ...LOCK, mode: "governance", coolOffHours: 0 } as const;
  assert.equal(lockState(governance, LOCK.createdAtMs), "governance");
  assert.equal(lockState(governance, LOCK.expiresAtMs), "expired");
});
