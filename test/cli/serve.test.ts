import assert from "node:assert/strict";
import { type ChildProcess, spawnSync } from "node:child_process";
import { readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { freePort } from "../support/free-port.ts";
import { writeImage } from "../support/image-file.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type Outcome, type RunOptions, runVarve } from "./_varve.ts";

/** Serves until it has said where, does something, and stops it. */
async function serving(
  args: readonly string[],
  options: RunOptions & { readonly use?: (greeting: string) => Promise<void> } = {},
): Promise<Outcome> {
  const { use = async () => undefined, ...run } = options;
  const used: Promise<void>[] = [];
  const outcome = await runVarve(["serve", "--listen", "127.0.0.1:0", ...args], {
    ...run,
    onStdout(text, child) {
      if (used.length > 0 || !text.includes("varve upload IMAGE")) return;
      used.push(use(text).finally(() => child.kill("SIGTERM")));
    },
  });
  await Promise.all(used);
  return outcome;
}

test("the first start prints all there is to know, and its lines can be pasted", async (t) => {
  const data = join(await temporaryDirectory(t), "it's data");
  const { code, stdout, stderr } = await serving(["--data", data], {
    async use(greeting) {
      const [, tryNext = ""] = greeting.split("Try next:\n");
      const lines = tryNext.trimEnd().split("\n");
      assert.equal(lines.length, 3);
      assert.match(lines[1] ?? "", /^ {2}aws ebs start-snapshot --volume-size 1$/);
      assert.match(lines[2] ?? "", /^ {2}\.\/bin\/varve upload IMAGE$/);
      // The first line is all that another terminal needs.
      const script = `${lines[0]}; env | grep ^AWS_ | sort`;
      const { stdout } = spawnSync("sh", ["-c", script], { encoding: "utf8", env: {} });
      const variables = stdout
        .trim()
        .split("\n")
        .map((line) => line.split("=") as [string, string]);
      const env = Object.fromEntries(variables);
      assert.deepEqual(Object.keys(env), [
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_SHARED_CREDENTIALS_FILE",
      ]);
      const listed = await runVarve(["list", "--json"], { env });
      assert.equal(listed.stdout, '{"snapshots":[]}\n', listed.stderr);
    },
  });
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "");
  assert.match(
    stdout,
    /^Varve listens on +http:\/\/127\.0\.0\.1:\d+\nData folder +\/.*it's data\n/,
  );
  const secret = /Secret access key +(\S{40})\n +shown this once; it is stored in /.exec(
    stdout,
  )?.[1];
  assert.ok(secret);
  const stored = await readFile(join(data, "credentials"), "utf8");
  assert.ok(
    stored.includes(`= ${secret}
`),
  );
  assert.equal((await stat(join(data, "credentials"))).mode & 0o777, 0o600);
  const again = await serving(["--data", data]);
  assert.equal(again.code, 0);
  assert.doesNotMatch(again.stdout, /Secret/);
});

test("a key pair that was given is not shown and not stored", async (t) => {
  const folder = await temporaryDirectory(t);
  const config = join(folder, "varve.json");
  const keys = { accessKeyId: "AKIAGIVEN", secretAccessKey: "given-secret" };
  await writeFile(config, JSON.stringify({ data: join(folder, "data"), ...keys }));
  const { code, stdout } = await serving(["--config", config]);
  assert.equal(code, 0);
  assert.match(stdout, /Access key id +AKIAGIVEN\n/);
  assert.doesNotMatch(stdout, /given-secret|undefined/);
  assert.match(stdout, /\n {2}export AWS_ENDPOINT_URL=http:\S+ AWS_REGION=us-east-1 AWS_DEFAULT/);
});

test("what keeps the service from starting is said in one line", async (t) => {
  const service = await startService(t);
  const folder = await temporaryDirectory(t);
  const file = join(folder, "file");
  await writeFile(file, "");
  const listen = service.endpoint.slice("http://".length);
  const cases: [args: string[], code: number, message: RegExp][] = [
    [["--listen", listen, "--data", join(folder, "a")], 1, /another program listens there/],
    [["--data", service.dataDirectory], 1, /in use by another process/],
    [
      ["--data", file],
      6,
      /Cannot use the data folder .*: it, or a part of its path, is a file\. .*--data\.$/m,
    ],
    [["--listen", "0.0.0.0:0"], 2, /plain HTTP.*--allow-plain-http/],
    [["--listen", "nonsense"], 2, /give HOST:PORT/],
    [["--emulate", "aws=1"], 2, /Cannot emulate 'aws=1': aws takes no value\.$/m],
    [["--config", join(folder, "none")], 6, /Cannot read the configuration file/],
  ];
  for (const [args, code, message] of cases) {
    const outcome = await runVarve(["serve", "--listen", "127.0.0.1:0", ...args], { cwd: folder });
    assert.equal(outcome.code, code, outcome.stderr);
    assert.match(outcome.stderr, /^varve: [^\n]+\n$/);
    assert.match(outcome.stderr, message);
    assert.equal(outcome.stdout, "");
  }
});

test("what is emulated is printed in the form that repeats it, seed included", async (t) => {
  const data = await temporaryDirectory(t);
  const { code, stdout } = await serving([
    "--data",
    data,
    "--emulate",
    "aws,quotas,lag,faults=0.05",
  ]);
  assert.equal(code, 0);
  assert.match(stdout, /\nEmulates +aws,quotas,lag=2,faults=0\.05:(\d+) \(seed \1\)\n/);
});

test("the service goes on when nobody reads what it says", async (t) => {
  const folder = await temporaryDirectory(t);
  const port = await freePort();
  const image = join(folder, "image.raw");
  await writeImage(image, BLOCK_SIZE_BYTES, { 0: 1 });
  const config = join(folder, "varve.json");
  const keys = { accessKeyId: "AKIAGIVEN", secretAccessKey: "given-secret" };
  await writeFile(config, JSON.stringify({ data: join(folder, "data"), ...keys }));
  const started: ChildProcess[] = [];
  const ended = runVarve(["serve", "--config", config, "--listen", `127.0.0.1:${port}`], {
    onStart(child) {
      started.push(child);
      child.stdout?.destroy();
      child.stderr?.destroy();
    },
  });
  const env = {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
  };
  const isUp = async () => (await runVarve(["list"], { env })).code === 0;
  try {
    for (let i = 0; i < 10 && !(await isUp()); i++);
    const { stdout: snapshotId, stderr } = await runVarve(["upload", image], { env });
    assert.match(snapshotId, /^snap-/, stderr);
    // A store in ruins, so that the service has something to say on standard error.
    const segments = join(folder, "data", "segments");
    for (const name of await readdir(segments)) await truncate(join(segments, name), 0);
    const restored = join(folder, "restored.raw");
    const download = await runVarve(["download", snapshotId.trim(), restored], { env });
    assert.notEqual(download.code, 0);
    assert.ok(await isUp(), "the service is still there");
  } finally {
    started[0]?.kill("SIGTERM");
  }
  assert.equal((await ended).code, 0);
});
