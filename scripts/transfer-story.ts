// A story of transfers over a bad network: an image goes up, an increment of it too, and both come
// back, as one onto the other, while the service has quotas, lag, latency and faults. Prints a
// table with the retries of each step.
//
//   node scripts/transfer-story.ts [--size-gib 16] [--data-mib 2048] [--faults 0.02] [--seed 1]

import { createCipheriv, createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../src/base/clock.ts";
import {
  createClient,
  diffSnapshotWithImage,
  downloadLogPath,
  downloadSnapshot,
  isSnapshotNotFound,
  listSnapshotBlocks,
  uploadSnapshot,
} from "../src/client/index.ts";
import { openService } from "../src/service.ts";

const BLOCK_BYTES = 512 * 1024;
const GIB = 1024 ** 3;
/** Milliseconds for one attempt: a withheld answer is given up sooner than the emulation does. */
const ATTEMPT_MS = 5_000;

const { values } = parseArgs({
  options: {
    "size-gib": { type: "string", default: "16" },
    "data-mib": { type: "string", default: "2048" },
    faults: { type: "string", default: "0.02" },
    seed: { type: "string", default: "1" },
  },
});
const sizeBytes = Number(values["size-gib"]) * GIB;
const blockCount = Number(values["data-mib"]) * 2;
const folder = mkdtempSync(join(tmpdir(), "varve-story-"));
const image = join(folder, "image.raw");

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

try {
  process.exitCode = await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<number> {
  const service = await openService({
    dataDirectory: join(folder, "data"),
    host: "127.0.0.1",
    port: 0,
    region: "us-east-1",
    emulation: {
      quotas: true,
      lagSeconds: 2,
      latencyMs: 10,
      faultShare: Number(values.faults),
      seed: Number(values.seed),
    },
  });
  const { accessKeyId, secretAccessKey } = service.firstKey.key;
  const client = createClient({
    endpoint: service.endpoint,
    credentials: { accessKeyId, secretAccessKey },
    attemptTimeoutMs: ATTEMPT_MS,
    attemptsMax: 12,
  });
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
  try {
    const file = await open(image, "w");
    await file.truncate(sizeBytes);
    await writeBlocks(file, 1, 0);
    const first = await upload("upload");
    await download("download", first, false);
    await writeBlocks(file, 20, blockCount);
    await file.close();
    const second = await upload("upload --parent", first);
    await download("download --onto", second, true);
    console.log(tableOf(steps));
    return 0;
  } finally {
    client.close();
    await service.close();
  }
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
