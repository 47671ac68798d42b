import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { before, type TestContext, test } from "node:test";
import { UnavailableError } from "../../src/base/unavailable.ts";
import { type Migrated, migrate } from "../../src/migrate-store.ts";
import type { ScaledStore } from "../../src/service.ts";
import { faultsEnvironment } from "../faults/faults-environment.ts";
import { type Faults, NO_SHIM, readLog, shim } from "../faults/shim.ts";
import { audit } from "../faults/verify.ts";
import { pick, printSeed, seededFraction } from "../support/property.ts";
import {
  SCALED_KEY as keyEncryptionKey,
  scaledStore,
  whyNoScaledStore,
} from "../support/scaled-store.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { checkAll, completed, type Written } from "./_stores.ts";

/*
 * `varve migrate` out of a bucket and a database into a folder, in a process of its own that is
 * killed instead of its k-th write, sync, rename, unlink, truncate or creation of a file there, or
 * finds the disk full. The same command then brings over the rest, and all of it is there.
 *
 * VARVE_MIGRATE_POINTS=1 tries every call, 0.1 every tenth; else it is a handful.
 */

const skip = whyNoScaledStore() || (shim() ? false : NO_SHIM);
const CALLS = "wstunc";
const SHARE = Number(process.env["VARVE_MIGRATE_POINTS"] ?? 0);
const SOME = 3;
const ENOSPC = 28;
const BIN = join(import.meta.dirname, "../../bin/varve.mjs");

let scaled: ScaledStore;
const written: Written = new Map();

before(async () => {
  if (skip) return;
  scaled = await scaledStore();
  // Before the store goes, for it is done in order.
  const ended: (() => unknown)[] = [];
  const config = { scaled, keyEncryptionKey, collectMinutes: 0 };
  const service = await startService({ after: (work) => ended.push(work) }, config);
  const parent = await completed(service, written, { seeds: ["a", "b", "c"] });
  await completed(service, written, { parentSnapshotId: parent, seeds: ["a", "d"] });
  const { account } = service.firstKey.key;
  const { id } = await service.core.keys.create(account, "of a test");
  const kmsKeyArn = `arn:aws:kms:${service.core.region}:${account}:key/${id}`;
  await completed(service, written, { kmsKeyArn, seeds: ["a", "secret"] });
  for (const work of ended) await work();
});

test("a migration killed anywhere goes on with the same command", { skip }, async (t) => {
  const letters = await lettersOf(t, CALLS);
  const points = pointsOf(t, letters.length);
  for (const at of points) {
    const isTorn = at % 2 === 0 && letters[at - 1] === "w";
    await migrateBadly(t, { calls: CALLS, do: isTorn ? "torn" : "kill", at });
  }
  t.diagnostic(`killed at ${points.length} of ${letters.length} calls`);
});

test("a migration into a full disk says so, and goes on when there is room", {
  skip,
}, async (t) => {
  const calls = "wc";
  const { length } = await lettersOf(t, calls);
  const points = pointsOf(t, length);
  const said = new Set<string>();
  for (const at of points) {
    const faults = { calls, do: "error", error: ENOSPC, isSticky: at % 2 === 0, at } as const;
    said.add(await migrateBadly(t, faults));
  }
  t.diagnostic(`full at ${points.length} of ${length} calls: ${[...said].join(" | ")}`);
});

/** Those calls of a migration that goes well. */
async function lettersOf(t: TestContext, calls: string): Promise<string[]> {
  const folder = await newFolder(t);
  const log = join(await temporaryDirectory(t), "log");
  const { code, stderr } = await migrateIn(t, folder, { calls, log });
  assert.equal(code, 0, stderr);
  await checkMigrated(t, folder);
  const letters = (await readLog(log)).map(({ letter }) => letter);
  return letters.filter((letter) => calls.includes(letter));
}

function pointsOf(t: TestContext, count: number): number[] {
  const all = Array.from({ length: count }, (_, i) => i + 1);
  if (SHARE > 0) return all.filter((i) => Math.floor(i * SHARE) !== Math.floor((i - 1) * SHARE));
  const fraction = seededFraction(printSeed(t));
  return [...new Set(Array.from({ length: SOME }, () => 1 + pick(fraction, count)))];
}

/** A migration that something happens to, and one after it; answers what the first said. */
async function migrateBadly(t: TestContext, faults: Faults): Promise<string> {
  const folder = await newFolder(t);
  const { code, stderr } = await migrateIn(t, folder, faults);
  try {
    if (faults.do === "error") {
      // Where it can do without, as at the end of the log, it ends well.
      assert.ok(code !== null, "it ends by itself");
      if (code !== 0) assert.match(stderr, /full|no space/i);
    }
    const outcome = await migrateAgain(folder);
    const { incomplete, damaged, leftBehind } = outcome;
    assert.deepEqual([incomplete, damaged, leftBehind], [[], [], []]);
    assert.equal(outcome.outcome, "done");
    await checkMigrated(t, folder);
  } catch (error) {
    const where = `${faults.do} at call ${faults.at}: ${code} ${stderr}`;
    throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
  }
  await rm(folder, { recursive: true });
  return /^varve: .*$/m.exec(stderr.replaceAll(folder, "DATA"))?.[0] ?? "nothing";
}

/** Once more where a busy machine was too slow for an engine's answer. */
async function migrateAgain(dataDirectory: string): Promise<Migrated> {
  const log = () => undefined;
  const config = { dataDirectory, scaled, keyEncryptionKey, direction: "in", log } as const;
  for (let attempt = 1; ; attempt++) {
    try {
      return await migrate(config);
    } catch (error) {
      if (!(error instanceof UnavailableError) || attempt === 5) throw error;
    }
  }
}

async function checkMigrated(t: TestContext, dataDirectory: string): Promise<void> {
  const service = await startService(t, { dataDirectory, keyEncryptionKey, collectMinutes: 0 });
  await checkAll(service, written);
  await service.close();
  audit(dataDirectory);
}

async function newFolder(t: TestContext): Promise<string> {
  const folder = join(await temporaryDirectory(t), "data");
  await mkdir(folder);
  return folder;
}

/** The command, with what goes wrong below its folder. */
async function migrateIn(t: TestContext, folder: string, faults: Faults) {
  const { bucket, prefix, endpoint, region, credentials } = scaled.bucket;
  const args = [
    ...["migrate", "--from", `s3://${bucket}/${prefix}`, "--to", folder],
    ...["--store-endpoint", endpoint, "--store-region", region],
    ...["--catalog", scaled.catalog.connectionString, "--key-encryption-key", "env:KEY"],
  ];
  const env = {
    PATH: process.env["PATH"] ?? "",
    AWS_ACCESS_KEY_ID: credentials?.accessKeyId ?? "",
    AWS_SECRET_ACCESS_KEY: credentials?.secretAccessKey ?? "",
    KEY: Buffer.from(keyEncryptionKey.secret).toString("base64"),
    ...faultsEnvironment(folder, faults),
  };
  const child = spawn(process.execPath, [BIN, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdout.resume();
  t.after(() => child.kill("SIGKILL"));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stderr };
}
