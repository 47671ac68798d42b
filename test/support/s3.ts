import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { Bucket, type BucketAddress } from "../../src/segments/bucket.ts";
import { startCeph } from "./ceph.ts";
import type { S3Engine } from "./s3-engine.ts";

const CEPH_PROGRAMS = ["ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin"];

/** The reason to skip a test that needs a real object store; on CI there has to be one. */
export function whyNoS3(): string | false {
  if (process.env["VARVE_TEST_S3"]) return false;
  const paths = (process.env["PATH"] ?? "").split(delimiter);
  const missing = CEPH_PROGRAMS.filter(
    (name) => !paths.some((path) => existsSync(join(path, name))),
  );
  if (missing.length === 0) return false;
  const reason =
    `no object store: ${missing.join(", ")} not found (Debian: ceph-mon, ceph-osd, radosgw), and ` +
    "VARVE_TEST_S3 names no other";
  if (process.env["CI"] === "true") throw new Error(`${reason}; CI must run every test`);
  return reason;
}

const shared: { engine?: Promise<S3Engine> } = {};

/**
 * An object store, one for all tests of a process, which ends it: a Ceph cluster, or what
 * `VARVE_TEST_S3` names, as `http://ACCESSKEYID:SECRET@HOST:PORT`.
 */
export function s3Engine(): Promise<S3Engine> {
  shared.engine ??= process.env["VARVE_TEST_S3"] ? Promise.resolve(elsewhere()) : startCeph();
  return shared.engine;
}

function elsewhere(): S3Engine {
  const url = new URL(process.env["VARVE_TEST_S3"] ?? "");
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
