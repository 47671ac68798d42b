import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { actionParts, send } from "./operations.ts";
import type { Target } from "./raw-http.ts";

/** What a service keeps: bytes in segments, and snapshots in whatever state. */
export interface Stored {
  readonly segmentBytes: number;
  readonly snapshotCount: number;
}

/** Measures what a service keeps, to see that a refusal leaves nothing behind. */
export async function measureStored(service: Target, dataDirectory: string): Promise<Stored> {
  const directory = join(dataDirectory, "segments");
  const names = await readdir(directory);
  const files = await Promise.all(names.map((name) => stat(join(directory, name))));
  const described = await send(service, actionParts("DescribeSnapshots"), { service: "ec2" });
  return {
    segmentBytes: files.reduce((sum, { size }) => sum + size, 0),
    snapshotCount: described.text.split("<snapshotId>").length - 1,
  };
}
