// Measures a store in a bucket and a database, served by one, two and three processes: puts a
// second, Varve's processor time per put, and what each engine is asked per put. Starts an object
// store (VARVE_TEST_S3 says which) and a PostgreSQL server of its own:
//
//   node bench/scaled.ts [seconds]

import { type ChildProcess, spawn } from "node:child_process";
import { hash, randomFillSync } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { createAccessKey, createClient } from "../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../src/model/limits.ts";
import type { ScaledStore } from "../src/service.ts";
import { writePutSnapshotBlockRequest } from "../src/wire/put-snapshot-block.ts";
import { writeStartSnapshotRequest } from "../src/wire/start-snapshot.ts";
import { query } from "../test/support/postgres.ts";
import { openBucket, s3Engine } from "../test/support/s3.ts";
import { SCALED_KEY, scaledStore } from "../test/support/scaled-store.ts";
import { Connection } from "./harness/connection.ts";
import { KEY_PAIR, REGION, RequestSigner, type Signing } from "./harness/target.ts";

const BIN = join(import.meta.dirname, "../bin/varve.mjs");
const PROCESS_COUNTS = [1, 2, 3];
/** Requests under way at once, over all processes. */
const CONNECTIONS = 48;
const SECONDS_DEFAULT = 10;
const VOLUME_SIZE_GIB = 64;
/** Long enough for everything that is done each second to have been done several times. */
const IDLE_MS = 5_000;
/** Milliseconds of a tick, in which the times in /proc are told. */
const MS_PER_TICK = 10;

await main(Number(process.argv[2] ?? SECONDS_DEFAULT));

async function main(seconds: number): Promise<void> {
  console.log(`${(await s3Engine()).name}, ${CONNECTIONS} connections, ${seconds} s each`);
  console.log(
    "processes  puts/s  MiB/s  CPU ms/put  objects/put  transactions/put  idle transactions/s",
  );
  for (const count of PROCESS_COUNTS) {
    const store = await scaledStore();
    const processes = await Promise.all(Array.from({ length: count }, () => serve(store)));
    try {
      console.log(formatRow(count, await measure(store, processes, seconds)));
    } finally {
      for (const { child } of processes) {
        child.kill("SIGTERM");
        await once(child, "exit");
      }
    }
  }
  await (await s3Engine()).close();
  process.exit();
}

interface Process {
  readonly child: ChildProcess;
  readonly endpoint: string;
}

async function serve({ bucket, catalog }: ScaledStore): Promise<Process> {
  const env = {
    ...process.env,
    VARVE_ACCESS_KEY_ID: KEY_PAIR.accessKeyId,
    VARVE_SECRET_ACCESS_KEY: KEY_PAIR.secretAccessKey,
    VARVE_STORE: `s3://${bucket.bucket}/${bucket.prefix}`,
    VARVE_STORE_ENDPOINT: bucket.endpoint,
    VARVE_STORE_REGION: bucket.region,
    VARVE_STORE_ACCESS_KEY_ID: bucket.credentials?.accessKeyId,
    VARVE_STORE_SECRET_ACCESS_KEY: bucket.credentials?.secretAccessKey,
    VARVE_CATALOG: catalog.connectionString,
    BENCH_KEY: Buffer.from(SCALED_KEY.secret).toString("base64"),
  };
  const options = ["--listen", "127.0.0.1:0", "--key-encryption-key", "env:BENCH_KEY", "--json"];
  const child = spawn(process.execPath, [BIN, "serve", "--region", REGION, ...options], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    return { child, endpoint: JSON.parse(line).endpoint };
  }
  throw new Error("varve serve ended before it said where it listens");
}

interface Measured {
  readonly putCount: number;
  readonly seconds: number;
  readonly cpuMs: number;
  readonly objectCount: number;
  /** Those of the upkeep that goes on by itself not counted. */
  readonly transactionCount: number;
  /** Transactions of that upkeep, of all processes together. */
  readonly idlePerSecond: number;
}

async function measure(
  store: ScaledStore,
  processes: readonly Process[],
  seconds: number,
): Promise<Measured> {
  const idle = await asked(store, processes);
  const idleMs = performance.now();
  await setTimeout(IDLE_MS);
  const before = await asked(store, processes);
  const idleCount = before.transactionCount - idle.transactionCount;
  const idlePerSecond = (idleCount / (performance.now() - idleMs)) * 1_000;
  const startMs = performance.now();
  const putCount = await load(processes, startMs + seconds * 1_000);
  const took = (performance.now() - startMs) / 1_000;
  const after = await asked(store, processes);
  const upkeepCount = ((performance.now() - startMs) / 1_000) * idlePerSecond;
  return {
    ...{ putCount, seconds: took },
    cpuMs: after.cpuMs - before.cpuMs,
    objectCount: after.objectCount - before.objectCount,
    transactionCount: after.transactionCount - before.transactionCount - upkeepCount,
    idlePerSecond,
  };
}

/** Puts blocks that nothing can pack, each once, to one snapshot, through all processes alike. */
async function load(processes: readonly Process[], endMs: number): Promise<number> {
  const [first] = processes;
  if (!first) throw new Error("no process");
  const signing = await storedKey(first.endpoint);
  const snapshotId = await start(first.endpoint, signing);
  let putCount = 0;
  let nextIndex = 0;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, i) => {
      const { endpoint } = processes[i % processes.length] as Process;
      using connection = await Connection.open(endpoint);
      const signer = new RequestSigner(endpoint, signing);
      const bytes = randomFillSync(Buffer.alloc(BLOCK_SIZE_BYTES));
      while (performance.now() < endMs) {
        const BlockIndex = nextIndex++;
        bytes.writeUInt32LE(BlockIndex);
        const Checksum = hash("sha256", bytes, "base64");
        const described = { DataLength: BLOCK_SIZE_BYTES, Checksum, ChecksumAlgorithm: "SHA256" };
        const input = { SnapshotId: snapshotId, BlockIndex, ...described };
        const request = writePutSnapshotBlockRequest(input, new Uint8Array());
        const { status, head } = await connection.exchange([
          signer.head(request, BLOCK_SIZE_BYTES),
          bytes,
        ]);
        if (status !== 201) throw new Error(`A put was answered with ${head}`);
        putCount += 1;
      }
    }),
  );
  return putCount;
}

/** A key that lies in the catalog, as users' keys do, and is looked up there for each request. */
async function storedKey(endpoint: string): Promise<Signing> {
  const client = createClient({ endpoint, region: REGION, credentials: KEY_PAIR });
  const made = await createAccessKey(client);
  client.close();
  const keyPair = { accessKeyId: made.AccessKeyId, secretAccessKey: made.SecretAccessKey };
  return { keyPair, region: REGION, service: "ebs" };
}

async function start(endpoint: string, signing: Signing): Promise<string> {
  using connection = await Connection.open(endpoint);
  const request = writeStartSnapshotRequest({ VolumeSize: VOLUME_SIZE_GIB });
  const { status, head, body } = await connection.exchange([
    new RequestSigner(endpoint, signing).head(request),
    request.body,
  ]);
  if (status !== 201) throw new Error(`StartSnapshot was answered with ${head}`);
  return JSON.parse(Buffer.concat(body).toString()).SnapshotId;
}

/** What the processes have used, and the engines been asked, so far. */
async function asked({ bucket: address, catalog }: ScaledStore, processes: readonly Process[]) {
  const bucket = await openBucket(address);
  let objectCount = 0;
  for await (const page of bucket.list("segments/")) objectCount += page.length;
  bucket.close();
  // Statistics reach the view with a delay.
  await setTimeout(1_500);
  const [row] = await query(
    catalog.connectionString,
    "SELECT xact_commit::int AS commits FROM pg_stat_database WHERE datname = current_database()",
  );
  const cpuMs = processes.reduce((sum, { child }) => sum + cpuMsOf(child.pid as number), 0);
  return { objectCount, cpuMs, transactionCount: row?.["commits"] as number };
}

/** User and system time of a process, from /proc. */
function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

function formatRow(count: number, measured: Measured): string {
  const { putCount, seconds, cpuMs, objectCount, transactionCount, idlePerSecond } = measured;
  const rate = putCount / seconds;
  return [
    String(count).padStart(9),
    rate.toFixed(0).padStart(6),
    ((rate * BLOCK_SIZE_BYTES) / 2 ** 20).toFixed(0).padStart(5),
    (cpuMs / putCount).toFixed(2).padStart(10),
    (objectCount / putCount).toFixed(3).padStart(11),
    (transactionCount / putCount).toFixed(3).padStart(16),
    idlePerSecond.toFixed(1).padStart(19),
  ].join("  ");
}
