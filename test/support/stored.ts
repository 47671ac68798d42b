import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Service } from "../../src/service.ts";
import { actionParts, send } from "./operations.ts";

/** What a service keeps: bytes in segments, and snapshots in whatever state. */
export interface Stored {
  readonly segmentBytes: number;
  readonly snapshotCount: number;
}

/** Measures what a service keeps, to see that a refusal leaves nothing behind. */
export async function measureStored(service: Service, dataDirectory: string): Promise<Stored> {
  // What was done before is journaled in the background; it is to be in every measure.
  await service.core.journaler.flush();
  const directory = join(dataDirectory, "segments");
  const names = await readdir(directory);
  const files = await Promise.all(names.map((name) => stat(join(directory, name))));
  const described = await send(service, actionParts("DescribeSnapshots"), { service: "ec2" });
  return {
    segmentBytes: files.reduce((sum, { size }) => sum + size, 0),
    snapshotCount: described.text.split("<snapshotId>").length - 1,
  };
}
