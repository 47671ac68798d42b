// A story of transfers over a bad network: an image goes up, an increment of it too, and both come
// back, as one onto the other, while the service, a process of its own, has AWS's quotas, latency,
// faults, and what is new is not found for two minutes. Prints a table with the retries of each
// step, and the most memory that the client had. Fails where a byte differs or memory is too much.
//
//   node scripts/transfer-story.ts [--size-gib 16] [--data-mib 2048] [--lag 120] [--faults 0.15]
//                                  [--seed 1]

import { type ChildProcess, spawn } from "node:child_process";
import { createCipheriv, createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../src/base/clock.ts";
import {
  type Client,
  type ClientOptions,
  createClient,
  diffSnapshotWithImage,
  downloadLogPath,
  downloadSnapshot,
  isSnapshotNotFound,
  listSnapshotBlocks,
  uploadSnapshot,
} from "../src/client/index.ts";

/** What a client's memory may come to, whatever the image's size. */
const RSS_MIB_MAX = 200;

const BLOCK_BYTES = 512 * 1024;
const GIB = 1024 ** 3;
/** Milliseconds for one attempt: a withheld answer is given up sooner than the emulation does. */
const ATTEMPT_MS = 5_000;

const { values } = parseArgs({
  options: {
    "size-gib": { type: "string", default: "16" },
    "data-mib": { type: "string", default: "2048" },
    lag: { type: "string", default: "120" },
    // A third of them are 500 and 503: of all requests, one in twenty.
    faults: { type: "string", default: "0.15" },
    seed: { type: "string", default: "1" },
    /** Be the service, on this folder. */
    serve: { type: "string" },
  },
});
const sizeBytes = Number(values["size-gib"]) * GIB;
const blockCount = Number(values["data-mib"]) * 2;

interface Step {
  readonly name: string;
  readonly blocks: number;
  readonly bytes: number;
  readonly retries: number;
  readonly seconds: number;
}

/** Bytes that do not compress, the same for the same number. */
function block(contents: number): Buffer {
  const key = createHash("sha256").update(`block ${contents}`).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(BLOCK_BYTES));
}

async function writeBlocks(file: FileHandle, every: number, salt: number): Promise<void> {
  const stride = Math.floor(sizeBytes / BLOCK_BYTES / blockCount);
  for (let i = 0; i < blockCount; i += every) {
    await file.write(block(i + salt), 0, BLOCK_BYTES, i * stride * BLOCK_BYTES);
  }
}

if (values.serve !== undefined) await serve(values.serve);
else process.exitCode = await main();

/** Until its standard input ends. */
async function serve(dataDirectory: string): Promise<void> {
  // Only here: the client's memory is the client's.
  const { openService } = await import("../src/service.ts");
  const service = await openService({
    ...{ dataDirectory, host: "127.0.0.1", port: 0, region: "us-east-1" },
    emulation: {
      quotas: true,
      lagSeconds: Number(values.lag),
      latencyMs: 10,
      faultShare: Number(values.faults),
      seed: Number(values.seed),
    },
    // What fails on purpose is no news here.
    log: () => undefined,
  });
  const { accessKeyId, secretAccessKey } = service.firstKey.key;
  const credentials = { accessKeyId, secretAccessKey };
  console.log(JSON.stringify({ endpoint: service.endpoint, credentials }));
  process.stdin.resume().once("end", () => void service.close());
}

/** Starts the service; answers it and how it is reached. */
async function startService(dataDirectory: string) {
  const args = ["--disable-warning=ExperimentalWarning", import.meta.filename];
  const given = [`--lag=${values.lag}`, `--faults=${values.faults}`, `--seed=${values.seed}`];
  const child = spawn(process.execPath, [...args, ...given, `--serve=${dataDirectory}`], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout, "data");
  return { child, ...(JSON.parse(String(line)) as ClientOptions) };
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.stdin?.end();
  await ended;
}

/** The most that this process had at once. */
function peakMib(): number {
  const kib = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return Math.round(Number(kib) / 1024);
}

async function main(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "varve-story-"));
  const { child, ...reached } = await startService(join(folder, "data"));
  const client = createClient({ ...reached, attemptTimeoutMs: ATTEMPT_MS, attemptsMax: 12 });
  try {
    const steps = await transfer(client, folder);
    console.log(`${tableOf(steps)}\n\nmost memory of the client: ${peakMib()} MiB`);
    return peakMib() <= RSS_MIB_MAX ? 0 : 1;
  } finally {
    client.close();
    await stop(child);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function transfer(client: Client, folder: string): Promise<readonly Step[]> {
  const image = join(folder, "image.raw");
  /** A snapshot can be read some time after it was completed. */
  const readable = async (snapshotId: string) => {
    for (;;) {
      const error = await listSnapshotBlocks(client, snapshotId).catch((caught: unknown) => caught);
      if (!isSnapshotNotFound(error)) return;
      await systemClock.sleep(250);
    }
  };
  const steps: Step[] = [];
  const upload = async (name: string, parentSnapshotId?: string) => {
    const logPath = join(folder, "upload.log");
    const done = await uploadSnapshot(client, { path: image, parentSnapshotId, logPath });
    steps.push({ ...done, name, blocks: done.blocksSent, bytes: done.bytesSent });
    await readable(done.snapshotId);
    return done.snapshotId;
  };
  const target = join(folder, "restored.raw");
  const download = async (name: string, snapshotId: string, onto: boolean) => {
    const logPath = downloadLogPath(target);
    const done = await downloadSnapshot(client, { snapshotId, path: target, onto, logPath });
    steps.push({ ...done, name, blocks: done.blocksReceived, bytes: done.bytesReceived });
    const { changedBlocks } = await diffSnapshotWithImage(client, { snapshotId, path: target });
    if (changedBlocks > 0) throw new Error(`${changedBlocks} blocks differ after: ${name}`);
  };
  const file = await open(image, "w");
  await file.truncate(sizeBytes);
  await writeBlocks(file, 1, 0);
  const first = await upload("upload");
  await download("download", first, false);
  await writeBlocks(file, 20, blockCount);
  await file.close();
  const second = await upload("upload --parent", first);
  await download("download --onto", second, true);
  return steps;
}

function tableOf(steps: readonly Step[]): string {
  const rows = steps.map(({ name, blocks, bytes, retries, seconds }) => [
    name,
    String(blocks),
    `${Math.round(bytes / 2 ** 20)} MiB`,
    String(retries),
    `${seconds.toFixed(1)} s`,
  ]);
  const all = [["step", "blocks", "bytes", "retries", "time"], ...rows];
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((text, i) => (i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0)));
  return all.map((row) => line(row).join("  ")).join("\n");
}
