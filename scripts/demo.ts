// The whole story on real input: a real ext4 file system goes in, is changed, goes in again as an
// increment, and both states come back, byte for byte and clean. Run by `npm run demo`.
//
//   npm run demo -- [--size-gib 4] [--files-mib 1024] [--from /usr] [--keep]

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  createReadStream,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { filesBelow } from "../bench/harness/file-system.ts";

const ROOT = dirname(import.meta.dirname);
const VARVE = join(ROOT, "bin", "varve.mjs");
const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
/** Where e2fsprogs lies when it is not in the path of an ordinary user. */
const PATH = `${process.env["PATH"]}:/usr/sbin:/sbin`;

const { values } = parseArgs({
  options: {
    "size-gib": { type: "string", default: "4" },
    "files-mib": { type: "string", default: "1024" },
    from: { type: "string", default: "/usr" },
    keep: { type: "boolean", default: false },
  },
});

const sizeBytes = Number(values["size-gib"]) * GIB;
const folder = mkdtempSync(join(tmpdir(), "varve-demo-"));
const at = (name: string) => join(folder, name);
let environment: NodeJS.ProcessEnv = { ...process.env, PATH };

process.exitCode = await main();

async function main(): Promise<number> {
  const service = startService();
  try {
    await tell(await service.endpoint);
    return 0;
  } catch (error) {
    console.error(`\nThe demo failed: ${error instanceof Error ? error.message : error}`);
    return 1;
  } finally {
    await service.stop();
    if (values.keep) console.log(`\nEverything is kept in ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

async function tell(endpoint: string): Promise<void> {
  environment = {
    ...environment,
    AWS_ENDPOINT_URL: endpoint,
    AWS_SHARED_CREDENTIALS_FILE: at("data/credentials"),
    AWS_REGION: "us-east-1",
    XDG_STATE_HOME: at("state"),
  };

  heading(`A real file system: ${values["size-gib"]} GiB ext4 with files of ${values.from}`);
  gatherFiles(values.from, at("files"), Number(values["files-mib"]) * MIB);
  truncateTo(at("monday.raw"), sizeBytes);
  show("mkfs.ext4", ["-q", "-F", "-d", at("files"), at("monday.raw")]);
  rmSync(at("files"), { recursive: true });

  heading("Monday goes in");
  const monday = varve("upload", at("monday.raw"), "--description", "Monday");

  heading("Files inside it are changed");
  show("cp", ["--sparse=always", at("monday.raw"), at("tuesday.raw")]);
  changeFiles(at("tuesday.raw"));

  heading("Tuesday goes in: only what differs from Monday is sent");
  const upload = ["upload", at("tuesday.raw"), "--parent", monday, "--description", "Tuesday"];
  const tuesday = varve(...upload);

  heading("What changed, without restoring anything");
  varve("diff", monday, tuesday);
  varve("list");

  heading("Both come back");
  varve("download", monday, at("monday.restored.raw"));
  varve("download", tuesday, at("tuesday.restored.raw"));
  await compare("monday");
  await compare("tuesday");

  heading("What it cost");
  const stored = allocatedBytes(at("data"));
  const protectedBytes = 2 * sizeBytes;
  console.log(`  protected: ${format(protectedBytes)} in 2 snapshots`);
  console.log(`  stored:    ${format(stored)} (1/${(protectedBytes / stored).toFixed(1)})`);
}

/** A service of its own on a free port, with its store in the demo's folder. */
function startService(): { endpoint: Promise<string>; stop(): Promise<void> } {
  const options = ["serve", "--data", at("data"), "--listen", "127.0.0.1:0"];
  // The key must be the store's own, whatever keys the environment has for other services.
  const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _secret, ...env } = environment;
  environment = env;
  const stdio = ["ignore", "pipe", "inherit"] as const;
  const child: ChildProcess = spawn(process.execPath, [VARVE, ...options], {
    env,
    stdio: [...stdio],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const endpoint = new Promise<string>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`varve serve ended with code ${code}`)));
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const found = /http:\/\/[\d.]+:\d+/.exec(line);
      if (found) resolve(found[0]);
    });
  });
  return {
    endpoint,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Copies regular files from below `from` until they are that many bytes. */
function gatherFiles(from: string, to: string, bytesMax: number): void {
  mkdirSync(to);
  let bytes = 0;
  let count = 0;
  for (const path of filesBelow(from)) {
    const { size } = lstatSync(path);
    if (size === 0 || bytes + size > bytesMax) continue;
    mkdirSync(dirname(join(to, path)), { recursive: true });
    cpSync(path, join(to, path));
    bytes += size;
    count += 1;
    if (bytes > bytesMax * 0.99) break;
  }
  console.log(`  ${count} files, ${format(bytes)}`);
}

function truncateTo(path: string, size: number): void {
  writeFileSync(path, "");
  truncateSync(path, size);
}

/** Adds a log, a binary and a folder to the file system, with e2fsprogs' own editor. */
function changeFiles(image: string): void {
  const log = Array.from({ length: 20_000 }, (_, i) => `Tuesday, line ${i}: all is well.\n`);
  writeFileSync(at("tuesday.log"), log.join(""));
  const commands = [
    "mkdir /tuesday",
    `write ${at("tuesday.log")} /tuesday/tuesday.log`,
    `write ${process.execPath} /tuesday/node`,
    "rm /tuesday/tuesday.log",
    `write ${at("tuesday.log")} /tuesday/again.log`,
  ];
  writeFileSync(at("changes"), `${commands.join("\n")}\n`);
  show("debugfs", ["-w", "-f", at("changes"), image], { isQuiet: true });
  show("e2fsck", ["-fn", image]);
}

/** A restored image has the very bytes of its original and is a clean file system. */
async function compare(day: string): Promise<void> {
  const [original, restored] = [at(`${day}.raw`), at(`${day}.restored.raw`)];
  const [wanted, got] = [await sha256(original), await sha256(restored)];
  if (wanted !== got) throw new Error(`${basename(restored)} differs from ${basename(original)}`);
  console.log(`  ${basename(restored)} equals ${basename(original)}: SHA-256 ${got}`);
  show("e2fsck", ["-fn", restored]);
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: MIB })) hash.update(piece);
  return hash.digest("hex");
}

/** Runs the command `varve`; answers its standard output, which is shown as well. */
function varve(...args: string[]): string {
  const output = show(process.execPath, [VARVE, ...args], { name: "varve" });
  return output.trim();
}

/** Shows a command as it would be typed, runs it, and shows what it prints. */
function show(
  command: string,
  args: readonly string[],
  { name = command, isQuiet = false } = {},
): string {
  const typed = args.filter((arg) => arg !== VARVE).map((arg) => arg.replace(`${folder}/`, ""));
  console.log(`\n  $ ${[name, ...typed].join(" ")}`);
  const stdio = ["ignore", "pipe", "pipe"] as const;
  const result = spawnSync(command, args, {
    env: environment,
    encoding: "utf8",
    stdio: [...stdio],
  });
  if (result.error) throw new Error(`${name} cannot be run: ${result.error.message}`);
  const printed = `${result.stdout}${result.stderr}`.replaceAll(`${folder}/`, "");
  if (!isQuiet && printed.trim() !== "") console.log(printed.trimEnd().replace(/^/gm, "  "));
  if (result.status !== 0) {
    throw new Error(`${name} ended with exit code ${result.status}\n${printed}`);
  }
  return result.stdout;
}

function heading(text: string): void {
  console.log(`\n${text}\n${"─".repeat(text.length)}`);
}

/** Bytes that a folder takes on its disk. */
function allocatedBytes(path: string): number {
  return [...filesBelow(path)].reduce((sum, file) => sum + statSync(file).blocks * 512, 0);
}

function format(bytes: number): string {
  return bytes >= GIB ? `${(bytes / GIB).toFixed(2)} GiB` : `${(bytes / MIB).toFixed(1)} MiB`;
}
