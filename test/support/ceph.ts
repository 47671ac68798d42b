import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { Daemon } from "./daemon.ts";
import { freePort } from "./free-port.ts";
import type { S3Engine } from "./s3-engine.ts";

/*
 * A whole Ceph cluster on the loopback address: one monitor, one OSD on a sparse file, and one
 * gateway that speaks S3. It is made anew for each process of tests, and gone with it.
 */

const START_MS_MAX = 120_000;
const CREDENTIALS = {
  accessKeyId: "VARVETESTACCESSKEY00",
  secretAccessKey: "onlyforteststhatlastafewsecondsandarethengone",
};
/** Bytes that the OSD's file may come to hold; it is sparse. */
const DISK_BYTES = 20 * 2 ** 30;

/** Starts a cluster with a gateway. */
export async function startCeph(): Promise<S3Engine> {
  const folder = await mkdtemp(join(tmpdir(), "varve-ceph-"));
  const cluster = new Cluster(folder);
  try {
    await cluster.start();
    return await withGateway(cluster);
  } catch (error) {
    await cluster.remove();
    throw error;
  }
}

async function withGateway(cluster: Cluster): Promise<S3Engine> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const start = async () => {
    const gateway = cluster.gateway(port);
    await until(() => fetch(endpoint), gateway);
    return gateway;
  };
  let gateway = await start();
  return {
    name: `Ceph RGW ${await version()}`,
    endpoint,
    region: "default",
    credentials: CREDENTIALS,
    stop: () => gateway.end(),
    async start() {
      gateway = await start();
    },
    freeze: () => gateway.signal("STOP"),
    thaw: () => gateway.signal("CONT"),
    close: () => cluster.remove(),
  };
}

async function version(): Promise<string> {
  const { stdout } = await promisify(execFile)("radosgw", ["--version"]);
  return /version (\S+)/.exec(stdout)?.[1] ?? "of an unknown version";
}

/** Monitor, OSD and gateways, with their data below one folder. */
class Cluster {
  readonly #folder: string;
  readonly #daemons: Daemon[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  async remove(): Promise<void> {
    await Promise.all(this.#daemons.map((daemon) => daemon.end()));
    await rm(this.#folder, { recursive: true, force: true });
  }

  async start(): Promise<void> {
    const [id, osdId] = [randomUUID(), randomUUID()];
    const address = `[v2:127.0.0.1:${await freePort()}]`;
    await writeFile(join(this.#folder, "ceph.conf"), this.#configuration(id, address));
    await writeFile(join(this.#folder, "keyring"), "");
    for (const name of ["mon", "osd"]) await mkdir(join(this.#folder, name));
    const map = join(this.#folder, "monmap");
    await this.#run("monmaptool", ["--create", "--fsid", id, "--addv", "a", address, map]);
    await this.#run("ceph-mon", ["--mkfs", "-i", "a", "--monmap", map]);
    this.#daemon("ceph-mon", ["-i", "a"]);
    await this.#run("ceph", ["osd", "new", osdId]);
    await this.#run("ceph-osd", ["-i", "0", "--mkfs", "--osd-uuid", osdId]);
    this.#daemon("ceph-osd", ["-i", "0"]);
    const { accessKeyId, secretAccessKey } = CREDENTIALS;
    const user = ["--uid", "varve", "--display-name", "varve"];
    const key = ["--access-key", accessKeyId, "--secret-key", secretAccessKey];
    await this.#run("radosgw-admin", ["user", "create", ...user, ...key, "--max-buckets", "0"]);
  }

  gateway(port: number): Daemon {
    return this.#daemon("radosgw", [
      ...["-n", "client.rgw", "--rgw-frontends", `beast endpoint=127.0.0.1:${port}`],
      // A gateway asks for a key unless it is told here: the file does not count for this.
      ...["--auth-client-required", "none", "--ms-mon-client-mode", "crc"],
    ]);
  }

  #daemon(command: string, args: readonly string[]): Daemon {
    const all = ["-c", join(this.#folder, "ceph.conf"), "-f", ...args];
    const daemon = new Daemon({ folder: this.#folder, command, args: all });
    this.#daemons.push(daemon);
    return daemon;
  }

  async #run(command: string, args: readonly string[]): Promise<void> {
    const env = { ...process.env, CEPH_ARGS: `-c ${join(this.#folder, "ceph.conf")}` };
    const options = { env, timeout: START_MS_MAX };
    await promisify(execFile)(command, args, options).catch(async (error: Error) => {
      const names = ["ceph-mon.output", "ceph-osd.output", "mon.a.log", "osd.0.log"];
      const read = (name: string) => readFile(join(this.#folder, name), "utf8").catch(() => "");
      const logs = await Promise.all(names.map(read));
      throw new Error(`${error.message}\n${logs.map((log) => log.slice(-2_000)).join("\n")}`);
    });
  }

  /** Everything once, without keys, for it is reached from this machine only. */
  #configuration(id: string, address: string): string {
    const folder = this.#folder;
    return `[global]
fsid = ${id}
mon host = ${address}
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind msgr1 = false
ms bind ipv6 = false
log file = ${folder}/$name.log
pid file = ${folder}/$name.pid
admin socket = ${folder}/$name.asok
run dir = ${folder}
crash dir = ${folder}
keyring = ${folder}/keyring
mon data = ${folder}/mon
osd data = ${folder}/osd
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 2
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = bluestore
osd memory target = 939524096
bluestore block size = ${DISK_BYTES}
`;
  }
}

async function until(isUp: () => Promise<unknown>, daemon: Daemon): Promise<void> {
  const startMs = performance.now();
  while (performance.now() - startMs < START_MS_MAX) {
    const answered = await isUp().then(
      () => true,
      () => false,
    );
    if (answered) return;
    await setTimeout(100);
  }
  await daemon.end();
  throw new Error("radosgw does not answer");
}
