import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, cp, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { forEachConcurrent } from "../../src/base/concurrency.ts";
import { CATALOG_VERSION } from "../../src/catalog/sqlite/sqlite-catalog.ts";
import { faultsEnvironment } from "../faults/faults-environment.ts";
import { type Faults, NO_SHIM, readLog, shim } from "../faults/shim.ts";
import { pick, seededFraction } from "../support/property.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { checkFilled, fill } from "./_old-catalog.ts";
import type { ScorecardRun } from "./scorecard.ts";

/*
 * A process opens a catalog of an earlier version with the real code, and is killed instead of its
 * k-th write, sync, truncate, unlink, rename or creation of a file, for every k from its first such
 * call to its last; and once more in the middle of each write. What it left is of the old version
 * or of the new one, and becomes, opened with the real code, exactly what it becomes when nobody
 * is killed.
 */

/** Everything that changes what a disk holds. */
const CALLS = "wstunc";
/** Processes at once. */
const AT_ONCE = 3;
/** Old catalogs of the short version, and where the process is killed on each of them. */
const SHORT_CATALOGS = 2;
const SHORT_POINTS = 3;

/** A catalog of an earlier version: closed, or left with its log by a process that was killed. */
interface OldCatalog {
  readonly version: number;
  readonly wasClosed: boolean;
}

/** Where the process that opens it is killed: instead of that call, or within that write. */
interface Point {
  readonly how: "kill" | "torn";
  readonly at: number;
}

/** What was found so far. */
interface Tried {
  readonly versions: Set<number>;
  /** Hashes of what killed processes left. */
  readonly left: Set<string>;
  pointCount: number;
  /** Points that left the new version: those after the commit. */
  migratedCount: number;
}

/** Kills at every point of every version, or at a few; answers what was tried, in words. */
export async function killMigrations(run: ScorecardRun): Promise<string> {
  if (!shim()) {
    run.say(`No migration is killed: that ${NO_SHIM}`);
    return `no migration killed: that ${NO_SHIM}`;
  }
  const fraction = seededFraction(run.seed);
  const directory = await temporaryDirectory(run);
  const tried: Tried = { versions: new Set(), left: new Set(), pointCount: 0, migratedCount: 0 };
  for (const old of run.isFull ? everyOldCatalog() : someOldCatalogs(fraction)) {
    const { version, wasClosed } = old;
    const folder = join(directory, `${version}-${wasClosed ? "closed" : "left"}`);
    await makeOldCatalog(folder, old);
    const { points, expected } = await watchMigration(folder);
    const chosen = run.isFull ? shareOf(points, run.share) : somePoints(points, fraction);
    await forEachConcurrent(chosen, AT_ONCE, async (point) => {
      await killAt(folder, { old, point, expected, tried });
    });
    await rm(folder, { recursive: true });
  }
  const { versions, left, pointCount, migratedCount } = tried;
  return (
    `migrations from ${versions.size} versions killed at ${pointCount} points, ` +
    `${pointCount} recovered (${left.size} different states left, ` +
    `${pointCount - migratedCount} kills before the commit, ${migratedCount} after)`
  );
}

function everyOldCatalog(): OldCatalog[] {
  const versions = Array.from({ length: CATALOG_VERSION - 1 }, (_, i) => i + 1);
  return versions.flatMap((version) => [true, false].map((wasClosed) => ({ version, wasClosed })));
}

function someOldCatalogs(fraction: () => number): OldCatalog[] {
  return Array.from({ length: SHORT_CATALOGS }, (_, i) => ({
    version: 1 + pick(fraction, CATALOG_VERSION - 1),
    wasClosed: i % 2 === 0,
  }));
}

/** One of each of so many slices: early ones, late ones, and writes that are torn. */
function somePoints(points: readonly Point[], fraction: () => number): Point[] {
  return Array.from({ length: SHORT_POINTS }, (_, i) => {
    const place = Math.floor(((i + fraction()) * points.length) / SHORT_POINTS);
    return points[place] as Point;
  });
}

/** Evenly spread. */
function shareOf(points: readonly Point[], share: number): Point[] {
  return points.filter((_, i) => Math.floor(i * share) !== Math.floor((i - 1) * share));
}

async function makeOldCatalog(folder: string, { version, wasClosed }: OldCatalog): Promise<void> {
  const made = join(folder, "made");
  await mkdir(made, { recursive: true });
  await mkdir(join(folder, "old"));
  const database = new DatabaseSync(join(made, "catalog.sqlite"));
  database.exec("PRAGMA journal_mode = WAL");
  fill(database, version);
  if (wasClosed) database.close();
  for (const name of await readdir(made)) {
    if (!name.endsWith("-shm")) await copyFile(join(made, name), join(folder, "old", name));
  }
  if (!wasClosed) database.close();
}

/** Where the process can be killed, and what the catalog says when it is not. */
async function watchMigration(folder: string) {
  const [whole, log] = [join(folder, "whole"), join(folder, "log")];
  await cp(join(folder, "old"), whole, { recursive: true });
  assert.equal(await openInProcess(whole, { log }), 0, "nobody killed it");
  await checkFilled(join(whole, "catalog.sqlite"));
  const calls = (await readLog(log)).filter(({ letter }) => CALLS.includes(letter));
  const writes = calls.filter(({ letter }) => letter === "w");
  const points: Point[] = [
    ...calls.map((_, i) => ({ how: "kill" as const, at: i + 1 })),
    ...writes.map((_, i) => ({ how: "torn" as const, at: i + 1 })),
  ];
  const expected = contentsOf(join(whole, "catalog.sqlite"));
  assert.equal(expected.version, CATALOG_VERSION);
  return { points, expected };
}

async function killAt(
  folder: string,
  parts: {
    readonly old: OldCatalog;
    readonly point: Point;
    readonly expected: object;
    readonly tried: Tried;
  },
): Promise<void> {
  const { old, expected, tried } = parts;
  const { how, at } = parts.point;
  const left = join(folder, `${how}-${at}`);
  await cp(join(folder, "old"), left, { recursive: true });
  const calls = how === "torn" ? "w" : CALLS;
  const what = `version ${old.version}, ${how} at call ${at}`;
  const ended = await openInProcess(left, { calls, at, do: how });
  assert.equal(ended, "SIGKILL", `${what}: the process was killed there`);
  tried.left.add(await hashOf(left));
  const version = await versionLeftIn(left);
  assert.ok([old.version, CATALOG_VERSION].includes(version), `${what}: left version ${version}`);
  const path = join(left, "catalog.sqlite");
  await checkFilled(path).catch((cause: Error) => {
    throw new Error(`${what}: ${cause.message}`, { cause });
  });
  assert.deepEqual(contentsOf(path), expected, `${what}: as when nobody is killed`);
  await rm(left, { recursive: true });
  tried.versions.add(old.version);
  tried.pointCount += 1;
  if (version === CATALOG_VERSION) tried.migratedCount += 1;
}

/** Opens and closes the catalog in a process with faults; answers its exit code or its signal. */
function openInProcess(folder: string, faults: Faults): Promise<number | string> {
  const script = join(import.meta.dirname, "../faults/open-catalog.ts");
  const quiet = "--disable-warning=ExperimentalWarning";
  const child = spawn(process.execPath, [quiet, script, join(folder, "catalog.sqlite")], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, ...faultsEnvironment(folder, faults) },
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? signal ?? ""));
  });
}

async function hashOf(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of (await readdir(folder)).sort()) {
    const bytes = await readFile(join(folder, name));
    hash.update(`${name} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest("hex");
}

/** Looked up in a copy: whoever opens the files changes them. */
async function versionLeftIn(folder: string): Promise<number> {
  const copy = `${folder}-looked-at`;
  await cp(folder, copy, { recursive: true });
  try {
    return versionOf(join(copy, "catalog.sqlite"));
  } finally {
    await rm(copy, { recursive: true });
  }
}

function versionOf(path: string): number {
  const database = new DatabaseSync(path);
  try {
    return Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  } finally {
    database.close();
  }
}

/** All that the catalog's file says: its version, its schema, and every row of every table. */
function contentsOf(path: string) {
  const database = new DatabaseSync(path);
  const all = (sql: string) => database.prepare(sql).all();
  try {
    assert.deepEqual(all("PRAGMA integrity_check").map(Object.values), [["ok"]]);
    assert.deepEqual(all("PRAGMA foreign_key_check"), []);
    const version = Number(all("PRAGMA user_version")[0]?.["user_version"]);
    const schema = all("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name");
    const tables = schema.filter(({ type }) => type === "table").map(({ name }) => String(name));
    const rows = tables.map((table) => [table, all(`SELECT * FROM "${table}"`)]);
    return { version, schema, rows };
  } finally {
    database.close();
  }
}
