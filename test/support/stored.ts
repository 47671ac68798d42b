import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ScaledStore, Service } from "../../src/service.ts";
import { actionParts, send } from "./operations.ts";
import { standInFor } from "./service.ts";

/** What a service keeps: bytes in segments, and snapshots in whatever state. */
export interface Stored {
  readonly segmentBytes: number;
  readonly snapshotCount: number;
}

/** Measures what a service keeps, to see that a refusal leaves nothing behind. */
export async function measureStored(service: Service, dataDirectory: string): Promise<Stored> {
  // What was done before is journaled in the background; it is to be in every measure.
  await service.core.journaler.flush();
  const scaled = standInFor(dataDirectory);
  const sizes = await (scaled ? sizesInBucket(scaled) : sizesInFolder(dataDirectory));
  const described = await send(service, actionParts("DescribeSnapshots"), { service: "ec2" });
  return {
    segmentBytes: sizes.reduce((sum, size) => sum + size, 0),
    snapshotCount: described.text.split("<snapshotId>").length - 1,
  };
}

async function sizesInFolder(dataDirectory: string): Promise<number[]> {
  const directory = join(dataDirectory, "segments");
  const names = await readdir(directory);
  const files = await Promise.all(names.map((name) => stat(join(directory, name))));
  return files.map(({ size }) => size);
}

async function sizesInBucket(scaled: ScaledStore): Promise<number[]> {
  const { openBucket } = await import("./s3.ts");
  const bucket = await openBucket(scaled.bucket);
  try {
    const sizes: number[] = [];
    for await (const page of bucket.list("segments/")) {
      sizes.push(...page.map(({ sizeBytes }) => sizeBytes));
    }
    return sizes;
  } finally {
    bucket.close();
  }
}
