import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { completeParts, put, send, settled, snapshotOf, start } from "../support/operations.ts";
import type { Target } from "../support/raw-http.ts";

/* A store as somebody might have it: two branches, one pending, one in error, one encrypted. */

/** Ids of what is in it. */
export interface History {
  readonly monday: string;
  readonly tuesday: string;
  readonly wednesday: string;
  readonly branch: string;
  readonly encrypted: string;
  readonly pending: string;
  readonly failed: string;
}

/** A block that says which it is, or one of zeros for seed 0. */
export function blockOf(blockIndex: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(BLOCK_SIZE_BYTES);
  if (seed > 0) bytes.set(new TextEncoder().encode(`block ${blockIndex} of ${seed} `));
  return bytes;
}

function blocks(indexes: Iterable<number>, seed: number): Map<number, Uint8Array> {
  return new Map([...indexes].map((index) => [index, blockOf(index, seed)]));
}

function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

/** Writes it. */
export async function writeHistory(target: Target): Promise<History> {
  const tags = (Environment: string) => [
    { Key: "Environment", Value: Environment },
    { Key: "Host", Value: "db1" },
  ];
  const monday = await snapshotOf(
    target,
    new Map([...blocks(range(0, 60), 1), ...blocks(range(100, 20), 0)]),
    { VolumeSize: 1, Description: "Monday", Tags: tags("production") },
  );
  const child = (ParentSnapshotId: string, Description: string, Tags: object[]) => ({
    ...{ VolumeSize: 1, ParentSnapshotId, Description, Tags },
  });
  const tuesday = await snapshotOf(
    target,
    blocks([...range(8, 6), ...range(300, 40)], 2),
    child(monday, "Tuesday", tags("production")),
  );
  const wednesday = await snapshotOf(
    target,
    blocks([...range(310, 12), 1_900], 3),
    child(tuesday, "Wednesday", tags("production")),
  );
  const branch = await snapshotOf(
    target,
    blocks(range(1_000, 25), 4),
    child(monday, "A test of the new release", tags("test")),
  );
  const encrypted = await snapshotOf(target, blocks(range(5, 9), 5), {
    ...{ VolumeSize: 2, Encrypted: true, Description: "Payroll" },
  });
  const pending = await start(target, { VolumeSize: 64, Description: "Under way" });
  await put(target, pending, blocks([3], 6));
  const failed = await start(target, { VolumeSize: 8, Description: "Cut off" });
  await put(target, failed, blocks([1], 7));
  await send(target, completeParts(failed, 9));
  await settled(target, failed);
  return { monday, tuesday, wednesday, branch, encrypted, pending, failed };
}
