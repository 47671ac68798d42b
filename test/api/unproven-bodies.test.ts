import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  UNPROVEN_BLOCKS_COUNT_MAX,
  UNPROVEN_BODY_BYTES_MAX,
  UNPROVEN_BODY_MS_MAX,
} from "../../src/model/limits.ts";
import type { LogEntry } from "../../src/service.ts";
import type { RequestParts } from "../../src/wire/message.ts";
import { putParts, startParts } from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import {
  encodeHead,
  RawConnection,
  type RawRequest,
  sign,
  type Target,
  withHeaders,
} from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { waitUntil } from "../support/wait-until.ts";

/* Requests without any key, whose body would have to be read to find that out. */

const PLACE = { snapshotId: "snap-0123456789abcdef0", blockIndex: 0 };
const WAITING_COUNT = 5;

/** A request that names a key and has no signature of it, nor says what its payload hash is. */
function unproven(target: Target, parts: RequestParts): RawRequest {
  const raw = sign(target, parts, { payloadHash: "0".repeat(64) });
  return withHeaders(raw, { "x-amz-content-sha256": undefined });
}

/** Opens connections; they are closed before the service, which would wait for them. */
function opener(t: TestContext) {
  const opened: RawConnection[] = [];
  t.after(() => {
    for (const each of opened) each.destroy();
  });
  return async (target: Target) => {
    const connection = await RawConnection.open(target);
    opened.push(connection);
    return connection;
  };
}

for (const [what, parts] of [
  ["a block", putParts(PLACE, blockContents(1))],
  ["a large body", startParts({ Description: "x".repeat(2 * UNPROVEN_BODY_BYTES_MAX) })],
] as const) {
  test(`clients that leave while ${what} waits to be read wait in no line`, async (t) => {
    const open = opener(t);
    const log: LogEntry[] = [];
    const onLog = (entry: LogEntry) => log.push(entry);
    const service = await startService(t, { log: onLog, accessLog: true });
    const head = encodeHead(unproven(service, parts));
    for (let i = 0; i < UNPROVEN_BLOCKS_COUNT_MAX; i++) (await open(service)).write(head);
    const waiting: RawConnection[] = [];
    for (let i = 0; i < WAITING_COUNT; i++) waiting.push(await open(service));
    for (const connection of waiting) connection.write(head);
    await sleep(200);
    assert.deepEqual(log, [], "all of them are there");
    for (const connection of waiting) connection.destroy();
    // Well before those are given up who hold the places, and send nothing.
    const timeoutMs = UNPROVEN_BODY_MS_MAX / 2;
    await waitUntil(
      async () => log,
      ({ length }) => length === WAITING_COUNT,
      { timeoutMs },
    );
    for (const { message, status } of log) {
      assert.deepEqual([message, status], ["A request was answered", "0"]);
    }
  });
}

test("what no body makes right is refused before the body is asked for", async (t) => {
  const open = opener(t);
  const service = await startService(t);
  for (const parts of [putParts(PLACE, blockContents(1)), startParts({ VolumeSize: 1 })]) {
    const raw = unproven(service, parts);
    for (const [authorization, status, code] of [
      [undefined, 403, "MissingAuthenticationTokenException"],
      ["AWS4-HMAC-SHA256 x", 400, "IncompleteSignatureException"],
    ] as const) {
      const connection = await open(service);
      const changes = { expect: "100-continue", authorization };
      connection.write(encodeHead(withHeaders(raw, changes)));
      const answer = await connection.response();
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.header("x-amzn-ErrorType") ?? "", new RegExp(`^${code}:`));
    }
  }
});
