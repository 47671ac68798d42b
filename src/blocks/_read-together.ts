import type { Location } from "../catalog/catalog.ts";
import type { SegmentStore } from "../segments/segment-store.ts";

/** Bytes between two records read for nothing: less work than a second read (ours). */
const GAP_BYTES_MAX = 64 * 1024;
/** Bytes of one read at most: a bound on memory (ours). */
const RUN_BYTES_MAX = 1024 * 1024;

/** Records of one segment that are read at once. */
interface Run {
  readonly segment: number;
  readonly offset: number;
  length: number;
  readonly records: { readonly position: number; readonly location: Location }[];
}

/**
 * Reads records, those that lie close to each other with one read. Answers them in the order of
 * their locations, in memory that nobody else uses; undefined for what could not be read.
 */
export async function readTogether(
  segments: SegmentStore,
  locations: readonly (Location | undefined)[],
): Promise<(Uint8Array | undefined)[]> {
  const found: (Uint8Array | undefined)[] = locations.map(() => undefined);
  const readRun = async (run: Run) => {
    const bytes = await segments.read(run, Buffer.allocUnsafeSlow(run.length));
    for (const { position, location } of run.records) {
      const start = location.offset - run.offset;
      found[position] = bytes.subarray(start, start + location.length);
    }
  };
  await Promise.allSettled(runsOf(locations).map(readRun));
  return found;
}

function runsOf(locations: readonly (Location | undefined)[]): Run[] {
  const placed = locations.flatMap((location, position) =>
    location ? [{ position, location }] : [],
  );
  placed.sort((a, b) => {
    return a.location.segment - b.location.segment || a.location.offset - b.location.offset;
  });
  const runs: Run[] = [];
  for (const record of placed) {
    const { segment, offset, length } = record.location;
    const run = runs.at(-1);
    if (run?.segment === segment && fits(run, record.location)) {
      run.length = Math.max(run.length, offset + length - run.offset);
      run.records.push(record);
      continue;
    }
    runs.push({ segment, offset, length, records: [record] });
  }
  return runs;
}

function fits(run: Run, { offset, length }: Location): boolean {
  const isNear = offset - (run.offset + run.length) <= GAP_BYTES_MAX;
  return isNear && offset + length - run.offset <= RUN_BYTES_MAX;
}
