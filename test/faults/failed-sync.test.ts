import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { realpath } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { send, startParts } from "../support/operations.ts";
import { seededFraction } from "../support/property.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { DiskModel } from "./disk-model.ts";
import { NO_SHIM, readLog, shim } from "./shim.ts";

const BIN = join(import.meta.dirname, "../../bin/varve.mjs");
const MODULE = import.meta.resolve("../../src/catalog/sqlite/_sqlite-database.ts");

/** Commits until one fails, then tries to go on; prints what came of it. */
const SCRIPT = `
  const [module, path] = process.argv.slice(1);
  const { SqliteDatabase } = await import(module);
  const told = [];
  const database = new SqliteDatabase(path, { onFailed: ({ message }) => told.push(message) });
  database.exec("CREATE TABLE IF NOT EXISTS numbers (n INTEGER)");
  let acknowledged = 0;
  const attempt = (work) => {
    try { return work(); } catch (error) { return error.message; }
  };
  for (let n = 1; n <= 50; n++) {
    const outcome = attempt(() => database.run("INSERT INTO numbers VALUES (?)", n));
    if (outcome !== 1) break;
    acknowledged = n;
  }
  const again = attempt(() => database.run("INSERT INTO numbers VALUES (99)"));
  const count = attempt(() => database.get("SELECT count(*) AS count FROM numbers").count);
  console.log(JSON.stringify({ told, acknowledged, again, count }));
  process.exit(0);
`;

test("a catalog whose sync failed takes no call, and a new process finds all", async (t) => {
  const library = shim();
  if (library === undefined) return t.skip(NO_SHIM);
  const folder = await realpath(await temporaryDirectory(t));
  const log = join(await temporaryDirectory(t), "log");
  const path = join(folder, "catalog.sqlite");
  const faults = {
    LD_PRELOAD: library,
    FAULTS_FOLDER: folder,
    FAULTS_LOG: log,
    FAULTS_CALLS: "s",
    FAULTS_AT: "20",
    FAULTS_DO: "error",
    FAULTS_ERROR: String(constants.errno.EIO),
  };
  const first = run(path, faults);
  assert.equal(first.told.length, 1, "its owner is told, once");
  assert.match(String(first.again), /opened anew in a new process/);
  assert.match(String(first.count), /opened anew in a new process/, "reading is refused too");
  assert.ok(first.acknowledged > 0);
  const syncs = (await readLog(log)).filter(({ letter }) => letter === "s");
  assert.ok((syncs.at(-1)?.result ?? 0) < 0, "nothing is synced after the failure");
  const second = run(path, {});
  assert.deepEqual([second.told, second.acknowledged], [[], 50]);
  const kept = Number(second.count) - 51;
  assert.ok(kept === first.acknowledged || kept === first.acknowledged + 1, `${kept} were kept`);
});

test("a process that goes on after a failed sync rests on nothing of it", async (t) => {
  const library = shim();
  if (library === undefined) return t.skip(NO_SHIM);
  const folder = await realpath(await temporaryDirectory(t));
  const logs = await temporaryDirectory(t);
  const path = join(folder, "catalog.sqlite");
  const model = new DiskModel();
  const live = async (name: string, more: Readonly<Record<string, string>>) => {
    const log = join(logs, name);
    const faults = { LD_PRELOAD: library, FAULTS_FOLDER: folder, FAULTS_LOG: log, ...more };
    const outcome = run(path, faults);
    for (const call of await readLog(log)) model.apply(call);
    return outcome;
  };
  await live("first", {
    ...{ FAULTS_CALLS: "s", FAULTS_AT: "20", FAULTS_DO: "error" },
    FAULTS_ERROR: String(constants.errno.EIO),
  });
  // It finds the commit that failed, in the system's memory.
  const second = await live("second", {});
  const left = await temporaryDirectory(t);
  await model.cut(left, "all", seededFraction(1));
  const database = new DatabaseSync(join(left, "catalog.sqlite"));
  const row = database.prepare("SELECT count(*) AS count FROM numbers").get();
  database.close();
  assert.equal(row?.["count"], second.count, "all that the second one acknowledged is kept");
});

test("varve serve ends with exit code 6 when a sync of its catalog fails", async (t) => {
  const library = shim();
  if (library === undefined) return t.skip(NO_SHIM);
  const folder = await realpath(await temporaryDirectory(t));
  const faults = {
    LD_PRELOAD: library,
    FAULTS_FOLDER: folder,
    FAULTS_CALLS: "s",
    // Its first start takes about thirty.
    FAULTS_AT: "60",
    FAULTS_DO: "error",
    FAULTS_ERROR: String(constants.errno.EIO),
  };
  const serve = [BIN, "serve", "--data", folder, "--listen", "127.0.0.1:0", "--json"];
  const child = spawn(process.execPath, serve, {
    env: { PATH: process.env["PATH"], ...faults },
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const exited = new Promise((resolve) => child.once("close", resolve));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = (await lines.next()).value as string | undefined;
  const { endpoint, accessKeyId, secretAccessKey } = JSON.parse(line ?? "{}");
  const key = { accessKeyId, secretAccessKey };
  const target = { endpoint, region: "us-east-1", firstKey: { key } };
  let status = 201;
  for (let i = 0; status === 201 && i < 100; i++) {
    // It may end before the answer is out.
    const answer = send(target, startParts({ VolumeSize: 1 }));
    status = await answer.then(
      (response) => response.status,
      () => 0,
    );
  }
  assert.ok(status === 500 || status === 0, `a start was answered with ${status}`);
  assert.equal(await exited, 6, errors);
  assert.match(errors, /disk I\/O error.*The catalog failed; the service can only be started anew/);
  assert.match(errors, /varve: The catalog could not be written.*opened anew in a new process\./);
});

interface Outcome {
  readonly told: readonly string[];
  readonly acknowledged: number;
  readonly again: unknown;
  readonly count: unknown;
}

function run(path: string, env: Readonly<Record<string, string>>): Outcome {
  const options = ["--disable-warning=ExperimentalWarning", "--input-type=module"];
  const args = [...options, "-e", SCRIPT, MODULE, path];
  const { stdout, stderr } = spawnSync(process.execPath, args, { env: { ...process.env, ...env } });
  assert.notEqual(stdout.toString(), "", stderr.toString());
  return JSON.parse(stdout.toString()) as Outcome;
}
