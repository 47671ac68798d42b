import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  ClientError,
  createClient,
  FileError,
  listSnapshotBlocks,
  startSnapshot,
} from "../../src/client/index.ts";
import { sdkOptions } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { startTlsService } from "../support/tls-service.ts";

/* A service behind a proxy that speaks TLS with a certificate of a private authority. */

test("the library trusts a private authority when it is told to, and only then", async (t) => {
  const { service, endpoint, caFile } = await startTlsService(t);
  const client = createClient({ ...sdkOptions(service), endpoint, caFile });
  t.after(() => client.close());
  const { SnapshotId } = await startSnapshot(client, { VolumeSize: 1 });
  assert.match(SnapshotId, /^snap-/);
  const attempts: unknown[] = [];
  const onRetry = (event: unknown) => attempts.push(event);
  const distrustful = createClient({ ...sdkOptions(service), endpoint, onRetry });
  t.after(() => distrustful.close());
  await assert.rejects(listSnapshotBlocks(distrustful, SnapshotId), (error) => {
    assert.ok(error instanceof ClientError);
    assert.equal(error.code, "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
    assert.equal(error.endpoint, endpoint);
    return true;
  });
  assert.deepEqual(attempts, [], "it would be no better a moment later");
});

test("a file of certificates that is none is refused, with the file's name", async (t) => {
  const options = {
    endpoint: "https://localhost:1",
    credentials: { accessKeyId: "", secretAccessKey: "" },
  };
  const path = join(await temporaryDirectory(t), "authority.pem");
  const refused = (code: string) => (error: unknown) =>
    error instanceof FileError && error.code === code && error.message.includes(path);
  assert.throws(() => createClient({ ...options, caFile: path }), refused("ENOENT"));
  await writeFile(path, "no certificate");
  assert.throws(() => createClient({ ...options, caFile: path }), refused("NO_CERTIFICATE"));
});
