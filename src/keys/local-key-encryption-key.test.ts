import assert from "node:assert/strict";
import { test } from "node:test";
import { seededBytes } from "../../test/support/property.ts";
import { systemRandom } from "../base/random.ts";
import { LocalKeyEncryptionKey } from "./local-key-encryption-key.ts";
import { openKeyEncryptionKey } from "./open-key-encryption-key.ts";

const SECRET = seededBytes("secret", 32);
const KEK = new LocalKeyEncryptionKey(Buffer.alloc(32, 7), systemRandom);

test("a wrapped secret opens in its context, with its key, and unchanged only", async () => {
  const sealed = await KEK.wrap(SECRET, "context");
  assert.deepEqual(Buffer.from(await KEK.unwrap(sealed, "context")), Buffer.from(SECRET));
  await assert.rejects(KEK.unwrap(sealed, "context "));
  const other = new LocalKeyEncryptionKey(Buffer.alloc(32, 8), systemRandom);
  await assert.rejects(other.unwrap(sealed, "context"));
  const bytes = Buffer.from(sealed, "base64");
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    await assert.rejects(KEK.unwrap(flipped.toString("base64"), "context"), `bit ${bit}`);
  }
  for (let length = 0; length < bytes.length; length++) {
    const short = bytes.subarray(0, length).toString("base64");
    await assert.rejects(KEK.unwrap(short, "context"), `${length} bytes`);
  }
});

test("the same secret is wrapped otherwise each time, and tells nothing of the key", async () => {
  const sealed = new Set<string>();
  for (let i = 0; i < 100; i++) sealed.add(await KEK.wrap(SECRET, "context"));
  assert.equal(sealed.size, 100);
  assert.match(KEK.id, /^local:[0-9a-f]{16}$/);
  assert.equal(new LocalKeyEncryptionKey(Buffer.alloc(32, 7), systemRandom).id, KEK.id);
  assert.notEqual(new LocalKeyEncryptionKey(Buffer.alloc(32, 8), systemRandom).id, KEK.id);
});

test("a key-encryption key has 32 bytes, and an error does not repeat them", () => {
  for (const length of [0, 16, 31, 33]) {
    const secret = Buffer.alloc(length, "S");
    assert.throws(
      () => openKeyEncryptionKey({ secret }, systemRandom),
      (error: Error) => error instanceof RangeError && !/S{8}|53{8}|UFNT/.test(error.message),
    );
  }
  assert.equal(openKeyEncryptionKey({ secret: Buffer.alloc(32, 7) }, systemRandom).id, KEK.id);
});
