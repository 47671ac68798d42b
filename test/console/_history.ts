import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { MovingClock } from "../support/moving-clock.ts";
import { completeParts, put, send, settled, snapshotOf, start } from "../support/operations.ts";
import type { Target } from "../support/raw-http.ts";

/* A store as somebody might have it: two branches, one pending, one in error, one encrypted. */

/** Ids of what is in it. */
export interface History {
  readonly monday: string;
  readonly tuesday: string;
  readonly wednesday: string;
  readonly thursday: string;
  readonly friday: string;
  readonly saturday: string;
  readonly sunday: string;
  /** From Monday's. */
  readonly branch: string;
  readonly fixed: string;
  readonly final: string;
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

/** Days over which it was written: the first snapshot is that old. */
export const HISTORY_DAYS = 9;
const MS_PER_DAY = 86_400_000;

/** The service's clock, that far back before anything is written. */
export function clockOfHistory(): MovingClock {
  const clock = new MovingClock();
  clock.advance(-HISTORY_DAYS * MS_PER_DAY);
  return clock;
}

/** Writes it, in the days that the clock goes forward by; without a clock all at once. */
export async function writeHistory(
  service: Target,
  clock: MovingClock | undefined = undefined,
): Promise<History> {
  const target = clock ? { ...service, clock } : service;
  const nextDay = () => clock?.advance(MS_PER_DAY);
  const tags = (Environment: string) => [
    { Key: "Environment", Value: Environment },
    { Key: "Host", Value: "db1" },
  ];
  const monday = await snapshotOf(
    target,
    new Map([...blocks(range(0, 60), 1), ...blocks(range(100, 20), 0)]),
    { VolumeSize: 1, Description: "Monday", Tags: tags("production") },
  );
  const descend = async (
    ParentSnapshotId: string,
    Description: string,
    written: ReadonlyMap<number, Uint8Array>,
  ) => {
    const Tags = tags(/release/i.test(Description) ? "test" : "production");
    nextDay();
    return snapshotOf(target, written, { VolumeSize: 1, ParentSnapshotId, Description, Tags });
  };
  const tuesday = await descend(monday, "Tuesday", blocks([...range(8, 6), ...range(300, 40)], 2));
  const wednesday = await descend(tuesday, "Wednesday", blocks([...range(310, 12), 1_900], 3));
  const branch = await descend(monday, "A test of the new release", blocks(range(1_000, 25), 4));
  const thursday = await descend(wednesday, "Thursday", blocks(range(0, 10), 8));
  const fixed = await descend(branch, "The release, fixed", blocks(range(1_010, 3), 9));
  const friday = await descend(thursday, "Friday", blocks(range(600, 30), 10));
  const final = await descend(fixed, "The release as shipped", blocks(range(40, 8), 11));
  const saturday = await descend(friday, "Saturday", blocks([...range(600, 5), 3], 12));
  const sunday = await descend(saturday, "Sunday", blocks(range(1_200, 4), 13));
  const encrypted = await snapshotOf(target, blocks(range(5, 9), 5), {
    ...{ VolumeSize: 2, Encrypted: true, Description: "Payroll" },
  });
  const pending = await start(target, { VolumeSize: 64, Description: "Under way" });
  await put(target, pending, blocks([3], 6));
  const failed = await start(target, { VolumeSize: 8, Description: "Cut off" });
  await put(target, failed, blocks([1], 7));
  await send(target, completeParts(failed, 9));
  await settled(target, failed);
  const days = { monday, tuesday, wednesday, thursday, friday, saturday, sunday };
  return { ...days, branch, fixed, final, encrypted, pending, failed };
}
