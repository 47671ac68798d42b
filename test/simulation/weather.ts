import { pick } from "../support/property.ts";

/** What can go wrong: on the disk, in the catalog, with the clock and with the process. */
export const MISHAPS = [
  "write",
  "short",
  "sync",
  "read",
  "flip",
  "stray",
  "name",
  "full",
  "catalog",
  "rot",
  "jump",
  "kill",
  "power-cut",
  "restart",
] as const;

/** One of them. */
export type Mishap = (typeof MISHAPS)[number];

/** How often what goes wrong on the disk; each a share of calls. */
export interface DiskFaults {
  readonly write: number;
  /** Writes of which only a part is taken. */
  readonly short: number;
  readonly sync: number;
  readonly read: number;
  /** Reads that answer one bit that is another; the disk still has the right one. */
  readonly flip: number;
  /** Reads that answer what lies elsewhere, and was read there before. */
  readonly stray: number;
  /** Names that cannot be made, removed, or listed. */
  readonly name: number;
}

/** What goes wrong in one run, and how often. */
export interface Weather {
  readonly disk: DiskFaults;
  /** Share of calls of the catalog at which its disk fails for good. */
  readonly catalog: number;
  /** Milliseconds between two moments at which the disk becomes full; 0 for never. */
  readonly fullEveryMs: number;
  /** Milliseconds between two ends of the process by force; 0 for never. */
  readonly crashEveryMs: number;
  /** Share of those ends that are power cuts. */
  readonly powerCuts: number;
  /** Milliseconds between two bits that change on the disk; 0 for never. */
  readonly rotEveryMs: number;
  /** Milliseconds between two jumps of the clock; 0 for never. */
  readonly jumpEveryMs: number;
  /** Whether a second collector runs, as of a process that took this one for dead. */
  readonly isCollectedTwice: boolean;
  /** Milliseconds between two collections. */
  readonly collectEveryMs: number;
  /** Seconds between the first and the second finding that a record is garbage. */
  readonly graceSeconds: number;
  /** Bytes of nodes that a process remembers; with 1, what is removed too early shows. */
  readonly nodeCacheBytes: number;
}

const CALM: DiskFaults = { write: 0, short: 0, sync: 0, read: 0, flip: 0, stray: 0, name: 0 };

/** Good weather: nothing goes wrong any more. */
export const CALM_WEATHER: Weather = {
  disk: CALM,
  catalog: 0,
  fullEveryMs: 0,
  crashEveryMs: 0,
  powerCuts: 0,
  rotEveryMs: 0,
  jumpEveryMs: 0,
  isCollectedTwice: false,
  collectEveryMs: 20_000,
  graceSeconds: 0,
  nodeCacheBytes: 1,
};

/** The weather of a run: each fault in some runs only, so that none hides what another shows. */
export function drawWeather(fraction: () => number): Weather {
  const often = (share: number, values: readonly number[]) =>
    fraction() < share ? (values[pick(fraction, values.length)] as number) : 0;
  const isCollectedTwice = fraction() < 0.25;
  const isStormy = fraction() < 0.6;
  const fault = (share: number, values: readonly number[]) => often(isStormy ? share : 0, values);
  return {
    disk: {
      write: fault(0.3, [0.02, 0.1]),
      short: often(0.4, [0.05, 0.3]),
      sync: fault(0.4, [0.02, 0.15]),
      read: fault(0.3, [0.01, 0.05]),
      flip: fault(0.2, [0.02, 0.1]),
      stray: fault(0.2, [0.02, 0.1]),
      name: fault(0.2, [0.05]),
    },
    catalog: fault(0.3, [0.001, 0.004]),
    fullEveryMs: fault(0.3, [20_000, 90_000]),
    crashEveryMs: often(0.75, [2_500, 8_000, 25_000, 80_000]),
    powerCuts: fraction() < 0.3 ? 0 : 0.8,
    rotEveryMs: fault(0.12, [10_000, 60_000]),
    jumpEveryMs: often(0.1, [60_000]),
    isCollectedTwice,
    collectEveryMs: often(isCollectedTwice ? 1 : 0.3, [1_500, 4_000]) || 20_000,
    graceSeconds: often(0.3, [1, 60]),
    nodeCacheBytes: often(0.3, [4_000]) || 1,
  };
}
