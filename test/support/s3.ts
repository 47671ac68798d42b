import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { Bucket, type BucketAddress } from "../../src/segments/bucket.ts";
import { startCeph } from "./ceph.ts";
import type { S3Engine } from "./s3-engine.ts";
import { isSeaweedfsInstalled, startSeaweedfs } from "./seaweedfs.ts";

const CEPH_PROGRAMS = ["ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin"];

/** The engines that are started here. */
export type EngineName = "ceph" | "seaweedfs";

/** One of them to be taken, or another one's address as `http://ACCESSKEYID:SECRET@HOST:PORT`. */
const GIVEN = process.env["VARVE_TEST_S3"] || undefined;

/** The reason to skip a test that has to stop the engine; false where it is ours to stop. */
export const S3_ELSEWHERE: string | false =
  GIVEN?.startsWith("http") === true && "VARVE_TEST_S3 is not ours to stop";

/** The reason to skip a test that needs a real object store; on CI there has to be one. */
export function whyNoS3(): string | false {
  if (GIVEN?.startsWith("http") || defaultEngine() !== undefined) return false;
  const reason =
    "no object store: Ceph is not installed (Debian: ceph-mon, ceph-osd, radosgw), and " +
    "VARVE_TEST_S3 names no other; VARVE_TEST_S3=seaweedfs installs that one below node_modules";
  if (process.env["CI"] === "true") throw new Error(`${reason}; CI must run every test`);
  return reason;
}

/** Every engine that can be had here: on CI all; else what is installed, or the one asked for. */
export function s3EngineNames(): readonly EngineName[] {
  if (GIVEN !== undefined) return GIVEN.startsWith("http") ? [] : [GIVEN as EngineName];
  const isCi = process.env["CI"] === "true";
  const seaweedfs = isCi || isSeaweedfsInstalled() ? ["seaweedfs" as const] : [];
  return isCephInstalled() || isCi ? ["ceph", ...seaweedfs] : seaweedfs;
}

function defaultEngine(): EngineName | undefined {
  return s3EngineNames()[0];
}

function isCephInstalled(): boolean {
  const paths = (process.env["PATH"] ?? "").split(delimiter);
  return CEPH_PROGRAMS.every((name) => paths.some((path) => existsSync(join(path, name))));
}

const shared = new Map<EngineName, Promise<S3Engine>>();
const STARTS = { ceph: startCeph, seaweedfs: startSeaweedfs };

/**
 * An object store, one for all tests of a process, which ends it: the one of that name, or what
 * `VARVE_TEST_S3` says, or the first that is installed.
 */
export function s3Engine(name = defaultEngine()): Promise<S3Engine> {
  if (GIVEN?.startsWith("http")) return Promise.resolve(elsewhere(new URL(GIVEN)));
  const start = name && STARTS[name];
  if (!start) throw new Error(`VARVE_TEST_S3 is a URL, ceph or seaweedfs, not ${name}`);
  const engine = shared.get(name) ?? start();
  shared.set(name, engine);
  return engine;
}

function elsewhere(url: URL): S3Engine {
  const refuse = () => {
    throw new Error("What VARVE_TEST_S3 names is not started and stopped by the tests");
  };
  return {
    name: url.host,
    endpoint: url.origin,
    region: "us-east-1",
    credentials: {
      accessKeyId: decodeURIComponent(url.username),
      secretAccessKey: decodeURIComponent(url.password),
    },
    stop: async () => refuse(),
    start: async () => refuse(),
    freeze: refuse,
    thaw: refuse,
    close: async () => undefined,
  };
}

/** A new bucket of its own for a store. */
export async function newBucket(engine: S3Engine): Promise<BucketAddress> {
  const { endpoint, region, credentials } = engine;
  const bucket = `varve-${randomBytes(8).toString("hex")}`;
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
  } finally {
    client.destroy();
  }
  return { bucket, prefix: "store/", endpoint, region, credentials };
}

/** What reads and writes there, as a service does. */
export function openBucket(address: BucketAddress): Promise<Bucket> {
  return Bucket.open(address, { clock: systemClock, random: systemRandom });
}
