import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startPostgres } from "../support/postgres.ts";
import { s3Engine } from "../support/s3.ts";
import { whyNoScaledStore } from "../support/scaled-store.ts";

/* The tests of the API once more, each service on a store of its own in a bucket and a database. */

const API = join(import.meta.dirname, "../api");
/**
 * Tests that count the files in the folder of an embedded store, or look into it. What moves a
 * service's clock stays on a folder as well (test/support/service.ts).
 */
const OF_FOLDERS = ["integrity.test.ts", "token-rotation.test.ts"];
/**
 * Of all others, what `npm test` runs here, in a bounded time; VARVE_SCALED_API=all runs all. What
 * is left out differs in what is said over HTTP, not in what is stored.
 */
const IN_SHORT = [
  "administration.test.ts",
  "ec2-snapshots.test.ts",
  "encryption.test.ts",
  "encryption-keys.test.ts",
  "health.test.ts",
  "idempotency.test.ts",
  "image-copies.test.ts",
  "images.test.ts",
  "js-sdk-cycle.test.ts",
  "listings.test.ts",
  "public-access.test.ts",
  "retention.test.ts",
  "sessions.test.ts",
  "sharing.test.ts",
];
const TIMEOUT_MS = 1_200_000;

const skip = whyNoScaledStore();

test("the API is the same on a bucket and a database", { skip, timeout: TIMEOUT_MS }, async (t) => {
  const all = readdirSync(API).filter((name) => name.endsWith(".test.ts"));
  const asked = process.env["VARVE_SCALED_API"] === "all" ? all : IN_SHORT;
  const names = asked.filter((name) => !OF_FOLDERS.includes(name));
  assert.deepEqual(
    names.filter((name) => !all.includes(name)),
    [],
    "the list is of files there",
  );
  const [engine, postgres] = await Promise.all([s3Engine(), startPostgres()]);
  t.after(() => postgres.remove());
  const { accessKeyId, secretAccessKey } = engine.credentials;
  const s3 = new URL(engine.endpoint);
  [s3.username, s3.password] = [accessKeyId, secretAccessKey];
  const engines = { VARVE_TEST_S3: s3.href, VARVE_TEST_POSTGRES: postgres.url };
  const env = { ...process.env, ...engines, VARVE_TEST_STORE: "scaled" };
  // It would take part in this run's report instead of making its own.
  Reflect.deleteProperty(env, "NODE_TEST_CONTEXT");
  const quiet = "--disable-warning=ExperimentalWarning";
  const args = [quiet, "--test", "--test-concurrency=2", "--test-reporter=spec"];
  const child = spawn(process.execPath, [...args, ...names.map((name) => join(API, name))], {
    ...{ env, signal: t.signal },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const output: Buffer[] = [];
  child.stdout.on("data", (piece: Buffer) => output.push(piece));
  const [code] = (await once(child, "close")) as [number | null];
  const text = Buffer.concat(output).toString();
  const failures = text.slice(text.indexOf("failing tests:")).slice(0, 20_000);
  assert.equal(code, 0, failures);
  const passed = Number(/^. pass (\d+)$/m.exec(text)?.[1]);
  t.diagnostic(`${passed} tests of ${names.length} files passed on ${engine.name}`);
  assert.ok(passed >= names.length);
});
