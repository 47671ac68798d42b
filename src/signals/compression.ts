import { seededFraction } from "../base/random.ts";
import { decodeHeader, RECORD_HEADER_BYTES } from "../blocks/record.ts";
import type { Place, ScrubTable } from "../catalog/integrity.ts";
import type { SegmentStore } from "../segments/segment-store.ts";

/** Places looked at: a sample of some hundred records is right to a few per cent (ours). */
const PLACE_COUNT = 24;
/** Records looked at from each place on. */
const RECORDS_PER_PLACE = 16;

/**
 * Plain bytes against stored ones, of a sample of the records that can be found: from some places
 * by chance, those that follow. Reads their headers, at most 384 of them. Undefined where nothing
 * is stored. `liveBytes` are those of each segment.
 */
export async function sampleCompression(
  { scrubs, segments }: SampleParts,
  liveBytes: ReadonlyMap<number, number>,
): Promise<number | undefined> {
  const inUse = [...liveBytes].filter(([, bytes]) => bytes > 0);
  const total = inUse.reduce((sum, [, bytes]) => sum + bytes, 0);
  // The same places each time: the factor changes with the store alone.
  const fraction = seededFraction(1);
  let [plain, stored] = [0, 0];
  for (let i = 0; i < PLACE_COUNT && total > 0; i++) {
    const place = placeAt(inUse, fraction() * total);
    for (const record of await scrubs.recordsFrom(place, RECORDS_PER_PLACE)) {
      const plainLength = await readPlainLength(segments, record);
      if (plainLength === undefined) continue;
      plain += plainLength;
      stored += record.length;
    }
  }
  return stored > 0 ? plain / stored : undefined;
}

interface SampleParts {
  readonly scrubs: Pick<ScrubTable, "recordsFrom">;
  readonly segments: Pick<SegmentStore, "read">;
}

/** The place in the segments at which so many bytes in use lie before. */
function placeAt(inUse: readonly (readonly [segment: number, bytes: number])[], bytes: number) {
  let left = bytes;
  for (const [segment, size] of inUse) {
    if (left < size) return { segment, offset: Math.floor(left) };
    left -= size;
  }
  return { segment: inUse[0]?.[0] ?? 0, offset: 0 };
}

/** Undefined for a record that is damaged, or was moved meanwhile. */
async function readPlainLength(
  segments: Pick<SegmentStore, "read">,
  { segment, offset }: Place,
): Promise<number | undefined> {
  try {
    const header = await segments.read({ segment, offset, length: RECORD_HEADER_BYTES });
    return decodeHeader(header).plainLength;
  } catch {
    return undefined;
  }
}
