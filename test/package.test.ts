import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { writeImage } from "./support/image-file.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

/*
 * The package as people get it: packed, installed in an empty folder, run on every Node that is
 * promised, the oldest of them included.
 */

const ROOT = join(import.meta.dirname, "..");
const run = promisify(execFile);

/** The lowest that package.json admits, the one of a checkout, and the newest. */
const VERSIONS = ["22.16.0", process.versions.node, "26.10.0"];

describe("the package", () => {
  let folder: string;
  before(async () => {
    folder = await temporaryDirectory({ after });
    const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], {
      cwd: ROOT,
    });
    const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf("[")));
    await writeFile(join(folder, "package.json"), "{}");
    await run("npm", ["install", "--no-audit", "--no-fund", join(folder, filename)], {
      cwd: folder,
    });
  });

  test("needs no compiler and no install script", async () => {
    const lock = JSON.parse(await readFile(join(folder, "package-lock.json"), "utf8"));
    const packages = Object.entries<{ hasInstallScript?: boolean }>(lock.packages);
    assert.ok(packages.length > 5);
    const scripted = packages.filter(([, { hasInstallScript }]) => hasInstallScript);
    assert.deepEqual(scripted, []);
    const files = await readdir(join(folder, "node_modules/varve"));
    const expected = ["CHANGELOG.md", "LICENSE", "README.md", "bin", "dist", "package.json"];
    assert.deepEqual(files.sort(), expected);
    assert.match(await readFile(join(folder, "node_modules/varve/dist/varve.1"), "utf8"), /^\.TH/);
  });

  test("has types that a strict program compiles against", async (t) => {
    const program = `import { createClient, startSnapshot, type Client } from "varve";
      import { openService } from "varve/service";
      const credentials = { accessKeyId: "a", secretAccessKey: "b" };
      const client: Client = createClient({ endpoint: "http://localhost", credentials });
      export const started: Promise<string> = startSnapshot(client, { VolumeSize: 1 })
        .then(({ SnapshotId }) => SnapshotId);
      export type Opened = Awaited<ReturnType<typeof openService>>["endpoint"];`;
    const directory = await mkdir(join(folder, "types"), { recursive: true });
    t.after(() => rm(directory ?? "", { recursive: true, force: true }));
    await writeFile(join(folder, "types/program.mts"), program);
    const options = [
      "--ignoreConfig",
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--types",
      "node",
    ];
    const types = ["--typeRoots", join(ROOT, "node_modules/@types")];
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const args = [tsc, ...options, ...types, join(folder, "types/program.mts")];
    const { stdout } = await run(process.execPath, args).catch((error) => error);
    assert.equal(stdout, "");
  });

  for (const version of VERSIONS) {
    test(`serves, uploads, lists and downloads on Node ${version}`, async (t) => {
      await roundTrip(t, folder, await nodeOf(version));
    });
  }
});

async function roundTrip(t: TestContext, folder: string, node: string): Promise<void> {
  const work = await temporaryDirectory(t);
  const bin = join(folder, "node_modules/varve/bin/varve.mjs");
  const environment = { PATH: "/usr/bin:/bin", HOME: work };
  const serve = ["serve", "--data", join(work, "data"), "--listen", "127.0.0.1:0", "--json"];
  const server = spawn(node, [bin, ...serve], { env: environment });
  server.stderr.pipe(process.stderr);
  t.after(() => server.kill("SIGKILL"));
  const [line] = await once(createInterface(server.stdout), "line");
  const greeting = JSON.parse(line) as Record<string, string>;
  const env = {
    ...environment,
    AWS_ACCESS_KEY_ID: greeting["accessKeyId"],
    AWS_SECRET_ACCESS_KEY: greeting["secretAccessKey"],
    VARVE_ENDPOINT: greeting["endpoint"],
  };
  const page = await (await fetch(`${greeting["endpoint"]}/console`)).text();
  const script = /src="(\/console\/assets\/[^"]+\.js)"/.exec(page)?.[1];
  assert.equal((await fetch(`${greeting["endpoint"]}${script}`)).status, 200, page);
  const varve = async (...args: string[]) => (await run(node, [bin, ...args], { env })).stdout;
  const image = join(work, "image");
  await writeImage(image, 3 * 1024 * 1024, { 0: 7, 4: 8 });
  const uploaded = JSON.parse(await varve("upload", image, "--json")) as Record<string, string>;
  assert.match(await varve("list"), new RegExp(String(uploaded["snapshotId"])));
  await varve("download", String(uploaded["snapshotId"]), join(work, "restored"));
  assert.deepEqual(await readFile(join(work, "restored")), await readFile(image));
  const program = `import { createClient, snapshotsOf } from "varve";
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = process.env;
    const credentials = { accessKeyId, secretAccessKey };
    const client = createClient({ endpoint: process.env.VARVE_ENDPOINT, credentials });
    for await (const each of snapshotsOf(client, {})) console.log(each.SnapshotId);
    client.close();`;
  const args = ["--input-type=module", "--eval", program];
  const { stdout } = await run(node, args, { cwd: folder, env });
  assert.equal(stdout.trim(), uploaded["snapshotId"]);
  const exited = once(server, "exit");
  server.kill("SIGTERM");
  assert.deepEqual(await exited, [0, null]);
}

/** Where a Node of that version is; from the npm registry, once. */
async function nodeOf(version: string): Promise<string> {
  if (version === process.versions.node) return process.execPath;
  const name = `node-${process.platform}-${process.arch}`;
  const home = join(ROOT, "node_modules/.cache/varve-nodes", version);
  const node = join(home, "node_modules", name, "bin/node");
  if (existsSync(node)) return node;
  const fresh = `${home}.${process.pid}`;
  await mkdir(fresh, { recursive: true });
  const quiet = ["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"];
  await run("npm", ["install", "--prefix", fresh, ...quiet, `${name}@${version}`]);
  await rename(fresh, home);
  return node;
}
