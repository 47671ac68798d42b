import { constants } from "node:os";
import type { Faults, LoggedCall } from "../faults/shim.ts";
import { pick } from "../support/property.ts";

/* Where test 4 has the disk fail, and how. */

const { EIO, ENOSPC } = constants.errno;
/** What a disk that is broken refuses from then on, of the same file. */
const CHANGES = "wstun";

/** How a call fails. */
export interface Kind extends Faults {
  readonly name: string;
  /** The letter of the calls that are meant. */
  readonly calls: string;
  readonly do: "error" | "short";
  /** Letters of those that fail after it, where it fails for good. */
  readonly sticky: string;
}

/** One call in the life of a server, and how it fails. */
export interface Site {
  readonly kind: Kind;
  /** Its number among those of its letter. */
  readonly at: number;
  readonly isSticky: boolean;
  /** In a folder used before. */
  readonly isUsed: boolean;
}

export const KINDS: readonly Kind[] = [
  { name: "EIO at a sync", calls: "s", do: "error", error: EIO, sticky: CHANGES },
  { name: "EIO at a write", calls: "w", do: "error", error: EIO, sticky: CHANGES },
  { name: "ENOSPC at a write", calls: "w", do: "error", error: ENOSPC, sticky: "w" },
  { name: "short write", calls: "w", do: "short", sticky: "w" },
  { name: "EIO at a read", calls: "r", do: "error", error: EIO, sticky: "r" },
  { name: "EIO at a create", calls: "c", do: "error", error: EIO, sticky: "c" },
  { name: "ENOSPC at a create", calls: "c", do: "error", error: ENOSPC, sticky: "c" },
  { name: "EIO at an unlink", calls: "u", do: "error", error: EIO, sticky: "u" },
  { name: "EIO at a rename", calls: "n", do: "error", error: EIO, sticky: "n" },
  { name: "EIO at a truncation", calls: "t", do: "error", error: EIO, sticky: CHANGES },
];

/** Of a life, how many calls there are of each letter. */
export type CallCounts = ReadonlyMap<string, number>;

/** Counts of a life on an empty folder, and of one on a folder used before. */
export interface Lives {
  readonly empty: CallCounts;
  readonly used: CallCounts;
}

/** Letters of the calls that fail. */
export const FAILING = [...new Set(KINDS.map(({ calls }) => calls))].join("");

export function countCalls(calls: readonly LoggedCall[]): CallCounts {
  const counts = new Map<string, number>();
  for (const { letter } of calls) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  return counts;
}

/**
 * What every run has, however short, because no number finds it for sure: places in the first
 * collection of a folder used before, which moves records to a new segment, removes the old one,
 * and has the catalog carry over its log. The first write and sync of a segment are its header's.
 */
export const ALWAYS: readonly Site[] = [
  siteOn("segments/*.segment", "EIO at a write", 2),
  siteOn("segments/*.segment", "EIO at a sync", 2),
  siteOn("segments/*.segment", "EIO at an unlink", 1),
  siteOn("catalog.sqlite", "EIO at a sync", 1),
];

function siteOn(path: string, name: string, at: number): Site {
  const kind = KINDS.find((each) => each.name === name) as Kind;
  return { kind: { ...kind, path }, at, isSticky: false, isUsed: true };
}

/** How many sites there are. */
export function countSites(lives: Lives): number {
  return KINDS.flatMap((kind) => sitesOf(lives, kind)).length;
}

/**
 * Each call, in each way in which it can fail; but a write, of which there are most, in one of
 * them, by turns. Of a share, evenly spread over each kind, and one of each at least. Where it
 * begins is given, so that another run tries others.
 */
export function everySite(lives: Lives, share: number, first: number): Site[] {
  return KINDS.flatMap((kind) => {
    const sites = sitesOf(lives, kind).filter((site) => kind.calls !== "w" || isTurn(site, first));
    const from = first % Math.max(1, sites.length);
    const turned = [...sites.slice(from), ...sites.slice(0, from)];
    return turned.filter((_, i) => Math.ceil(i * share) !== Math.ceil((i + 1) * share));
  });
}

function sitesOf(lives: Lives, kind: Kind): Site[] {
  return [false, true].flatMap((isUsed) =>
    Array.from({ length: countOf(lives, isUsed, kind.calls) }, (_, i) => i + 1).flatMap((at) =>
      [false, true].map((isSticky) => ({ kind, at, isSticky, isUsed })),
    ),
  );
}

/** True of one of the ways in which a write can fail, another for the next write. */
function isTurn({ kind, at, isSticky }: Site, first: number): boolean {
  const writes = KINDS.filter(({ calls }) => calls === "w");
  return (first + at) % (2 * writes.length) === 2 * writes.indexOf(kind) + Number(isSticky);
}

function countOf({ empty, used }: Lives, isUsed: boolean, letter: string): number {
  return (isUsed ? used : empty).get(letter) ?? 0;
}

/** Some of different kinds. */
export function someSites(lives: Lives, count: number, fraction: () => number): Site[] {
  const kinds = [...KINDS];
  return Array.from({ length: count }, () => {
    const [kind] = kinds.splice(pick(fraction, kinds.length), 1) as [Kind];
    // Not every sort of call is made in either folder.
    const isPossible = [false, true].filter((isUsed) => countOf(lives, isUsed, kind.calls) > 0);
    const isUsed = isPossible[pick(fraction, isPossible.length)] ?? false;
    const at = 1 + pick(fraction, countOf(lives, isUsed, kind.calls));
    return { kind, at, isSticky: fraction() < 0.5, isUsed };
  });
}
