import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  type Client,
  ClientError,
  UploadError,
  uploadSnapshot,
  waitForSnapshot,
} from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { writeImage } from "../support/image-file.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { allIds, clientFor, clientThrough } from "./_client.ts";

/* What becomes of a snapshot whose upload fails at its very end. */

async function setUp(t: TestContext): Promise<{ client: Client; path: string }> {
  const path = join(await temporaryDirectory(t), "image.raw");
  await writeImage(path, 2 * BLOCK_SIZE_BYTES, { 0: 1, 1: 2 });
  return { client: clientFor(t, await startService(t)), path };
}

function failure(operation: string, kind: "connection" | "service"): ClientError {
  const status = kind === "service" ? 403 : undefined;
  return new ClientError({ kind, operation, code: "Odd", message: "Odd.", status });
}

/** A client that does something before calls of one operation, or after them. */
function clientAround(
  client: Client,
  operation: string,
  around: { readonly before?: () => void; readonly after?: () => void },
): Client {
  return clientThrough(client, async (call, options) => {
    if (call.operation !== operation) return client.send(call, options);
    around.before?.();
    const answer = await client.send(call, options);
    around.after?.();
    return answer;
  });
}

async function uploadFails(client: Client, path: string, signal?: AbortSignal) {
  const error = await uploadSnapshot(client, { path, signal }).then(
    () => assert.fail("the upload did not fail"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof UploadError, String(error));
  return error;
}

/** The snapshot is there, gets completed, and the error says that it may be. */
async function isKept(client: Client, { snapshotId, aftermath }: UploadError): Promise<void> {
  assert.match(aftermath, /its state is not known: it may be completed\. .*: varve list$/);
  await waitForSnapshot(client, snapshotId);
  assert.deepEqual(await allIds(client), [snapshotId]);
}

test("a snapshot is kept when the answer to its completion is lost", async (t) => {
  const { client, path } = await setUp(t);
  const after = () => {
    throw failure("CompleteSnapshot", "connection");
  };
  const losing = clientAround(client, "CompleteSnapshot", { after });
  await isKept(client, await uploadFails(losing, path));
});

for (const kind of ["connection", "service"] as const) {
  test(`a snapshot is kept when polling it fails, kind ${kind}`, async (t) => {
    const { client, path } = await setUp(t);
    let completions = 0;
    const polling = clientThrough(client, (call, options) => {
      if (call.operation === "DescribeSnapshots") throw failure(call.operation, kind);
      if (call.operation === "CompleteSnapshot" && completions++ > 0) {
        throw failure(call.operation, kind);
      }
      return client.send(call, options);
    });
    await isKept(client, await uploadFails(polling, path));
  });
}

test("a snapshot is kept when somebody interrupts the polling", async (t) => {
  const { client, path } = await setUp(t);
  const abort = new AbortController();
  const before = () => abort.abort(new Error("enough"));
  const interrupted = clientAround(client, "DescribeSnapshots", { before });
  await isKept(client, await uploadFails(interrupted, path, abort.signal));
});

test("a snapshot is deleted when it fails before its completion is asked for", async (t) => {
  const { client, path } = await setUp(t);
  const before = () => {
    throw failure("PutSnapshotBlock", "connection");
  };
  const failing = clientAround(client, "PutSnapshotBlock", { before });
  const { aftermath } = await uploadFails(failing, path);
  assert.match(aftermath, /^The unfinished snapshot \S+ was deleted\.$/);
  assert.deepEqual(await allIds(client), []);
});

test("a snapshot that ended in the state error is deleted", async (t) => {
  const { client, path } = await setUp(t);
  const failed = clientThrough(client, async (call, options) => {
    if (call.operation !== "DescribeSnapshots") return client.send(call, options);
    const body = "<r><snapshotSet><item><status>error</status></item></snapshotSet></r>";
    const document = body.replaceAll("r>", "DescribeSnapshotsResponse>");
    return call.read({ status: 200, headers: new Map(), body: new TextEncoder().encode(document) });
  });
  const { message } = await uploadFails(failed, path);
  assert.match(message, /ended in the state error.*The unfinished snapshot \S+ was deleted\.$/);
  assert.deepEqual(await allIds(client), []);
});
