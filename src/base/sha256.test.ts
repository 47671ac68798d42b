import assert from "node:assert/strict";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { test } from "node:test";
import { hmacSha256, sha256 } from "./sha256.ts";

test("SHA-256 and HMAC are the platform's, at every length around a piece's edges", () => {
  const bytes = randomBytes(4_096);
  for (let length = 0; length < 200; length++) {
    const part = bytes.subarray(length, 2 * length);
    const expected = createHash("sha256").update(part).digest();
    assert.deepEqual(Buffer.from(sha256(part)), expected, `${length} bytes`);
    const key = bytes.subarray(0, length);
    const code = createHmac("sha256", key).update(part).digest();
    assert.deepEqual(Buffer.from(hmacSha256(key, part)), code, `key of ${length} bytes`);
  }
  const digest = createHash("sha256").update(bytes).digest();
  assert.deepEqual(Buffer.from(sha256(bytes)), digest);
});
