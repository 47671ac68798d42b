import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { startMoto, whyNoMoto } from "../../test/support/moto.ts";
import { seededBytes } from "../../test/support/property.ts";
import { AwsKeyEncryptionKey } from "./aws-key-encryption-key.ts";

const skip = whyNoMoto() ?? false;
const SECRET = seededBytes("secret", 32);
/** What the SDK looks for; a test process has an environment of its own. */
const ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: "AKIAMOTOMOTOMOTOMOTO",
  AWS_SECRET_ACCESS_KEY: "moto",
  AWS_EC2_METADATA_DISABLED: "true",
};

test("AWS KMS wraps and unwraps a secret in its own context only", { skip }, async (t) => {
  const moto = await startMoto();
  t.after(() => moto.close());
  Object.assign(process.env, ENVIRONMENT, { AWS_ENDPOINT_URL_KMS: moto.url.href });
  const { CreateKeyCommand, KMSClient } = await import("@aws-sdk/client-kms");
  const client = new KMSClient({ region: "eu-central-1" });
  t.after(() => client.destroy());
  const create = async () => (await client.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? "";
  const [arn, another] = [await create(), await create()];
  const kek = new AwsKeyEncryptionKey(arn);
  assert.equal(kek.id, arn);
  const sealed = await kek.wrap(SECRET, "context");
  assert.ok(!Buffer.from(sealed, "base64").includes(Buffer.from(SECRET)));
  const unwrapped = await new AwsKeyEncryptionKey(arn).unwrap(sealed, "context");
  assert.deepEqual(Buffer.from(unwrapped), Buffer.from(SECRET));
  await assert.rejects(kek.unwrap(sealed, "another context"));
  await assert.rejects(new AwsKeyEncryptionKey(another).unwrap(sealed, "context"));
  const nowhere = new AwsKeyEncryptionKey(arn.replace(/[0-9a-f]{12}$/, "000000000000"));
  await assert.rejects(nowhere.wrap(SECRET, "context"), { name: "NotFoundException" });
});

test("AWS KMS that never answers is waited for with a limit", async (t) => {
  const server = createServer(() => {}).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const sockets = new Set<{ destroy(): void }>();
  server.on("connection", (socket) => sockets.add(socket));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const AWS_ENDPOINT_URL_KMS = `http://127.0.0.1:${port}`;
  Object.assign(process.env, ENVIRONMENT, { AWS_ENDPOINT_URL_KMS, AWS_MAX_ATTEMPTS: "1" });
  const arn = "arn:aws:kms:eu-central-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef";
  const kek = new AwsKeyEncryptionKey(arn, 200);
  await assert.rejects(kek.wrap(SECRET, "context"), { name: "TimeoutError" });
});
