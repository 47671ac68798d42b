import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { writeImage } from "../support/image-file.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";
import { runVarve } from "./_varve.ts";

const KEYS = { accessKeyId: "AKIAGIVENGIVENGIVEN2", secretAccessKey: "given/secret+0123456789" };

interface Served {
  readonly endpoint: string;
  readonly metricsEndpoint?: string;
}

/** Serves until `use` has ended; answers what the service said on standard error. */
async function serving(
  folder: string,
  args: readonly string[],
  use: (served: Served, hangUp: () => void) => Promise<void>,
): Promise<string> {
  const config = join(folder, "varve.json");
  await writeFile(config, JSON.stringify({ data: join(folder, "data"), ...KEYS }));
  const used: Promise<void>[] = [];
  const common = ["serve", "--json", "--listen", "127.0.0.1:0", "--config", config];
  const outcome = await runVarve([...common, ...args], {
    onStdout(text, child) {
      if (used.length > 0 || !text.endsWith("\n")) return;
      const served = JSON.parse(text) as Served;
      const hangUp = () => void child.kill("SIGHUP");
      used.push(use(served, hangUp).finally(() => child.kill("SIGTERM")));
    },
  });
  await Promise.all(used);
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome.stderr;
}

function environment({ endpoint }: Served): Record<string, string> {
  const { accessKeyId, secretAccessKey } = KEYS;
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
}

test("serve tells of itself what it was asked to, and no secret with it", async (t) => {
  const folder = await temporaryDirectory(t);
  const audit = join(folder, "audit.ndjson");
  const image = join(folder, "image.raw");
  await writeImage(image, 2 * BLOCK_SIZE_BYTES, { 0: 1, 1: 2 });
  const token = "scrape-token-0123456789";
  const tokenFile = join(folder, "token");
  await writeFile(tokenFile, `${token}\n`);
  const options = [
    ...["--access-log", "--audit", audit, "--audit-data"],
    ...["--metrics-listen", "127.0.0.1:0", "--metrics-token-file", tokenFile],
  ];
  const stderr = await serving(folder, options, async (served, hangUp) => {
    const env = environment(served);
    const uploaded = await runVarve(["upload", image, "--quiet"], { env });
    assert.equal(uploaded.code, 0, uploaded.stderr);
    const restored = join(folder, "restored.raw");
    const downloaded = await runVarve(["download", uploaded.stdout.trim(), restored], { env });
    assert.equal(downloaded.code, 0, downloaded.stderr);
    const headers = { authorization: `Bearer ${token}` };
    const scraped = await fetch(served.metricsEndpoint ?? "", { headers });
    assert.match(await scraped.text(), /^varve_block_written_bytes_total 1048576$/m);
    await rename(audit, `${audit}.1`);
    hangUp();
    const isThere = async () =>
      readFile(audit, "utf8").then(
        () => true,
        () => false,
      );
    await waitUntil(isThere, (there) => there);
    assert.equal((await runVarve(["list"], { env })).code, 0);
  });
  const lines = stderr.split("\n").filter((line) => line.startsWith("{"));
  const entries = lines.map((line) => JSON.parse(line) as Record<string, string>);
  const puts = entries.filter(({ operation }) => operation === "PutSnapshotBlock");
  assert.equal(puts.length, 2);
  const [put] = puts;
  assert.equal(put?.["level"], "info");
  assert.equal(put?.["message"], "A request was answered");
  assert.equal(put?.["accessKeyId"], KEYS.accessKeyId);
  assert.match(put?.["path"] ?? "", /^\/snapshots\/snap-[0-9a-f]{17}\/blocks\/[01]$/);
  assert.match(put?.["requestId"] ?? "", /^[0-9a-f-]{36}$/);
  assert.match(stderr, /^varve: The audit log goes on in \S+audit\.ndjson\.$/m);
  const audited = await readFile(`${audit}.1`, "utf8");
  assert.ok(audited.includes(put?.["requestId"] ?? "none"), "log and audit log agree");
  assert.match(await readFile(audit, "utf8"), /"Action":"DescribeSnapshots"/);
  const all = stderr + audited;
  for (const secret of [KEYS.secretAccessKey, token, "Signature=", "blockToken", "pageToken"]) {
    assert.ok(!all.includes(secret), secret);
  }
});

test("serve says nothing of requests unless asked to, and less with --log-level", async (t) => {
  const folder = await temporaryDirectory(t);
  const use = async (served: Served) => {
    const { code } = await runVarve(["list"], { env: environment(served) });
    assert.equal(code, 0);
  };
  assert.equal(await serving(folder, [], use), "");
  const access = await serving(folder, ["--access-log"], use);
  assert.match(access, /"operation":"DescribeSnapshots"/);
  assert.equal(await serving(folder, ["--access-log", "--log-level", "error"], use), "");
});

test("serve says which file or address of these it cannot have", async (t) => {
  const folder = await temporaryDirectory(t);
  const cases: [args: string[], message: RegExp][] = [
    [["--audit", join(folder, "none", "audit")], /Cannot open the audit log .*ENOENT/],
    [
      ["--metrics-listen", "192.0.2.1:1", "--metrics-token-file", "x"],
      /Cannot read the secret in x/,
    ],
    [["--metrics-listen", "127.0.0.1:1"], /Cannot listen for scrapes on 127\.0\.0\.1:1: .*EACCES/],
    [["--webhook", "nowhere"], /--webhook is no address/],
  ];
  for (const [args, message] of cases) {
    if (String(message).includes("EACCES") && process.getuid?.() === 0) continue;
    const common = ["serve", "--listen", "127.0.0.1:0", "--data", join(folder, "data")];
    const { code, stdout, stderr } = await runVarve([...common, ...args]);
    assert.notEqual(code, 0);
    assert.equal(stdout, "");
    assert.match(stderr, /^varve: [^\n]+\n$/);
    assert.match(stderr, message);
  }
});

test("top shows what the service does, as text, as JSON and live", async (t) => {
  const service = await startService(t);
  const { accessKeyId, secretAccessKey } = service.firstKey.key;
  const env = {
    AWS_ENDPOINT_URL: service.endpoint,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
  const text = await runVarve(["top"], { env });
  assert.equal(text.code, 0, text.stderr);
  assert.match(text.stdout, /^Varve \S+ · us-east-1 · process [0-9a-f]{8} · up /);
  assert.match(text.stdout, /^Snapshots {2}0 completed$/m);
  assert.match(text.stdout, /^Engines {4}catalog ok · disk ok$/m);
  const json = await runVarve(["top", "--json"], { env });
  const { Sizes, Samples } = JSON.parse(json.stdout) as Record<string, unknown>;
  assert.deepEqual(Samples, []);
  assert.equal((Sizes as Record<string, number>)["ProtectedBytes"], 0);
  let isAsked = false;
  // On a terminal it draws again and again on a screen of its own, until Ctrl-C.
  const live = await runVarve(["top", "--interval", "1s"], {
    env: { ...env, TERM: "xterm" },
    by: ["python3", "-c", "import pty,sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"],
    onStdout(drawn, child) {
      if (isAsked || drawn.split("Varve ").length < 3) return;
      isAsked = true;
      const [pid] = childrenOf(child.pid ?? 0);
      process.kill(pid ?? 0, "SIGINT");
    },
  });
  assert.equal(live.code, 0, live.stdout);
  assert.ok(live.stdout.startsWith("\u001b[?1049h"), "it enters another screen");
  assert.ok(live.stdout.trimEnd().endsWith("\u001b[?1049l"), "and leaves it");
});

function childrenOf(pid: number): number[] {
  const { stdout } = spawnSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" });
  return stdout.trim().split("\n").map(Number);
}

test("a SIGHUP ends no service that has nothing to read again", async (t) => {
  const folder = await temporaryDirectory(t);
  await serving(folder, [], async (served, hangUp) => {
    hangUp();
    const { code, stderr } = await runVarve(["list"], { env: environment(served) });
    assert.equal(code, 0, stderr);
  });
});
