import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { makeCertificates } from "../support/certificates.ts";
import { freePort } from "../support/free-port.ts";
import { writeImage } from "../support/image-file.ts";
import { newAccount, newEncryptionKey, withNewKey } from "../support/keys.ts";
import { snapshotOf } from "../support/operations.ts";
import { findPythonTools } from "../support/python.ts";
import { awsEnvironment, startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/*
 * Every command line that README.md and docs/ print is run, as it is printed, by a shell. What it
 * names is there under that name, or stands in its place: an id of this run, a file for a device.
 * Those that another test runs, or nobody can, are listed with the reason.
 */

const ROOT = join(import.meta.dirname, "../..");
const COMMANDS = "(?:\\./bin/)?varve|aws|npm|npx|node|rm|zstd|eval|source|export";
/** A line of a page that is a command, by itself or behind the sign of a shell. */
const LINE = new RegExp(`^ *(?:\\$ )?((?:${COMMANDS}) .*)$`);

/** Lines that are not run here, and why; matched from their beginning. */
const ELSEWHERE: readonly (readonly [begins: string, why: string])[] = [
  ["npm start", "test/cli/serve.test.ts starts the same command without npm's wrapper"],
  ["npm test", "this is it"],
  ["npm install varve", "test/package.test.ts installs what npm pack makes; nothing is published"],
  [
    "npm install @opentelemetry",
    "fetched from a registry; test/api/tracing.test.ts has a provider",
  ],
  ["npm run conformance", "test/conformance/conformance.test.ts runs all checks"],
  ["node scripts/transfer-story.ts", "takes an hour; test/client has all its parts"],
  ["varve serve --store", "needs both engines; test/scaled starts it on them"],
  ["varve rebuild --store", "needs both engines; test/scaled/move.test.ts rebuilds a bucket"],
  ["varve migrate", "needs both engines; test/scaled/move.test.ts goes there and back"],
  ["export AWS_SHARED_CREDENTIALS_FILE", "the environment of every command here, put by the test"],
];
/** From here on docs/cli.md is run, and its output compared, by documented-commands.test.ts. */
const RUN_WITH_OUTPUT = "## varve list";
/** Milliseconds after which a command that does not end is a failure: the slowest takes a few s. */
const LINE_MS_MAX = 120_000;

interface Printed {
  readonly page: string;
  readonly command: string;
}

async function printedCommands(): Promise<Printed[]> {
  const names = (await readdir(join(ROOT, "docs"))).filter((name) => name.endsWith(".md"));
  const pages = ["README.md", ...names.map((name) => `docs/${name}`)];
  const all = await Promise.all(
    pages.map(async (page) => {
      const text = await readFile(join(ROOT, page), "utf8");
      const end = page === "docs/cli.md" ? text.indexOf(RUN_WITH_OUTPUT) : text.length;
      return commandsIn(text.slice(0, end)).map((command) => ({ page, command }));
    }),
  );
  return all.flat();
}

/** The commands in fenced blocks without a language, and in blocks that are indented. */
function commandsIn(text: string): string[] {
  let fence: string | undefined;
  return text
    .replaceAll("\\\n", " ")
    .split("\n")
    .flatMap((line) => {
      const mark = /^ *```(\w*)/.exec(line);
      if (mark) {
        fence = fence === undefined ? mark[1] : undefined;
        return [];
      }
      const isCode =
        fence === "" || fence === "sh" || (fence === undefined && /^ {4}\S/.test(line));
      const command = isCode ? LINE.exec(line)?.[1] : undefined;
      return command === undefined ? [] : [command.replace(/ {2,}#.*$/, "").trim()];
    });
}

function isElsewhere(command: string): boolean {
  return ELSEWHERE.some(([begins]) => command.startsWith(begins));
}

/** `get|set|remove KEY` is three commands. */
function alternatives(command: string): string[] {
  const choice = / ([a-z]+(?:\|[a-z]+)+) /.exec(command);
  if (!choice) return [command];
  const words = (choice[1] ?? "").split("|");
  // A policy can be told and taken away only after it was given.
  return words
    .sort((a, b) => Number(b === "set") - Number(a === "set"))
    .map((word) => {
      const file = word === "set" ? " backup.json" : "";
      return command.replace(choice[0], ` ${word} `) + file;
    });
}

/** A shell's command line, run to its end, or until it listens and then interrupted. */
async function runLine(line: string, options: { cwd: string; env: NodeJS.ProcessEnv }) {
  const child = spawn("bash", ["-c", `set -o pipefail; ${line}`], {
    ...options,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  const isService = /\bvarve serve\b/.test(line);
  const hear = (text: string) => {
    output += text;
    if (isService && output.includes("Try next:")) end(child, "SIGINT");
  };
  child.stdout.setEncoding("utf8").on("data", hear);
  child.stderr.setEncoding("utf8").on("data", hear);
  const limit = setTimeout(() => {
    output += `\nkilled: no end after ${LINE_MS_MAX / 1000} s`;
    end(child, "SIGKILL");
  }, LINE_MS_MAX);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(limit);
  return { code, output };
}

/** Ends all that a shell has started. */
function end({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid !== undefined) process.kill(-pid, signal);
}

/** Programs that are not everywhere, and what does their part where they are not. */
const STAND_INS: Readonly<Record<string, string>> = {
  "qemu-img": "#!/bin/sh\ncat > disk.qcow2\n",
  zstd: '#!/bin/sh\ncat "$2"\n',
};

async function setUp(t: TestContext) {
  const folder = await temporaryDirectory(t);
  const bin = join(folder, "bin");
  await mkdir(bin);
  const programs = {
    varve: `#!/bin/sh\nexec ${process.execPath} ${join(ROOT, "bin/varve.mjs")} "$@"\n`,
    ...STAND_INS,
  };
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(bin, name), text);
    await chmod(join(bin, name), 0o755);
  }
  const service = await startService(t);
  const tools = await findPythonTools();
  const path = [bin, ...(typeof tools === "string" ? [] : [dirname(tools.aws)])];
  const env = {
    ...awsEnvironment(service),
    PATH: [...path, process.env["PATH"]].join(delimiter),
    XDG_STATE_HOME: join(folder, "state"),
    VARVE_LISTEN: "127.0.0.1:0",
  };
  return { folder, service, env, hasAws: typeof tools !== "string" };
}

async function writeFiles(folder: string): Promise<void> {
  const { server } = makeCertificates();
  await mkdir(join(folder, "etc"));
  const policy = { Version: "2012-10-17", Statement: { Effect: "Allow", Action: "ebs:*" } };
  const backup = { ...policy, Statement: { ...policy.Statement, Resource: "*" } };
  const map = [{ start: 0, length: 2 * BLOCK_SIZE_BYTES, depth: 0, zero: false, data: true }];
  for (const [name, contents] of [
    ["etc/tls.crt", server.cert],
    ["etc/tls.key", server.key],
    ["etc/key", `${Buffer.alloc(32, 7).toString("base64")}\n`],
    ["backup.json", JSON.stringify(backup)],
    ["read.json", JSON.stringify(backup)],
    ["map.json", JSON.stringify(map)],
  ] as const) {
    await writeFile(join(folder, name), contents);
  }
  for (const name of ["disk.raw", "disk.raw.zst", "volume.raw", "IMAGE", "monday.raw"]) {
    await writeImage(join(folder, name), 20 * BLOCK_SIZE_BYTES, { 0: 1, 1: 2, 7: 3 });
  }
  await writeImage(join(folder, "tuesday.raw"), 20 * BLOCK_SIZE_BYTES, { 0: 1, 1: 4, 7: 3 });
}

test("every command in the README and the documentation runs as it is printed", async (t) => {
  const { folder, service, env, hasAws } = await setUp(t);
  await writeFiles(folder);
  const account = await newAccount(service);
  const first = await snapshotOf(service, new Map([[0, Buffer.alloc(BLOCK_SIZE_BYTES, 1)]]));
  const second = await snapshotOf(service, new Map([[0, Buffer.alloc(BLOCK_SIZE_BYTES, 2)]]), {
    ParentSnapshotId: first,
  });
  const keyId = await newEncryptionKey(service);
  const own = (await withNewKey(service)).firstKey.key;
  /** What stands in the place of what a page names. */
  const places: [string | RegExp, string][] = [
    ["snap-0fedcba9876543210", second],
    [/snap-[0-9a-f]{17}/g, first],
    ["123456789012", account],
    [/\bARN\b/g, `arn:aws:kms:us-east-1:${service.firstKey.key.account}:key/${keyId}`],
    ["/srv/varve", join(folder, "srv")],
    ["/etc/varve", join(folder, "etc")],
    ["file:/mnt/keys/varve", `file:${join(folder, "etc/key")}`],
    [/\/dev\/(?:vg\/snap|nbd0|vdb)/g, join(folder, "volume.raw")],
    ["127.0.0.1:7788", `127.0.0.1:${await freePort()}`],
    ["0.0.0.0:7788", `0.0.0.0:${await freePort()}`],
    ["./bin/varve", "varve"],
  ];
  const asRun = (command: string) =>
    places.reduce<string>((text, [what, there]) => text.replaceAll(what, there), command);
  let count = 0;
  for (const { page, command } of await printedCommands()) {
    if (isElsewhere(command) || (command.startsWith("aws ") && !hasAws)) continue;
    // Some lines end in the key's deletion.
    const { firstKey } = await withNewKey(service);
    const named = command.replace(/\bKEY\b/g, firstKey.key.accessKeyId);
    for (const line of alternatives(asRun(named))) {
      // A file that is there is not replaced unasked.
      const target = /^varve download \S+ (\S+\.raw)(?: --salvage)?$/.exec(line)?.[1];
      if (target !== undefined) await rm(join(folder, target), { force: true });
      // What revokes all tokens, or takes the first key's place, must not end the others.
      const { accessKeyId: id, secretAccessKey: secret } = own;
      const keys = { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret };
      const { code, output } = await runLine(line, { cwd: folder, env: { ...env, ...keys } });
      assert.equal(code, 0, `${page}: ${command}\n${line}\n${output}`);
      count += 1;
      // From here on the store needs its new key-encryption key: what follows is of another one.
      if (line.startsWith("rm data/")) await rm(join(folder, "data"), { recursive: true });
    }
  }
  t.diagnostic(`${count} commands run`);
  assert.ok(count >= (hasAws ? 45 : 35), `${count} commands`);
});

test("every reason not to run a command belongs to one that is printed", async () => {
  const commands = (await printedCommands()).map(({ command }) => command);
  for (const [begins] of ELSEWHERE) {
    assert.ok(
      commands.some((command) => command.startsWith(begins)),
      begins,
    );
  }
});
