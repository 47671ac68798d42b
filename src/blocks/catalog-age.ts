import type { Catalog } from "../catalog/catalog.ts";
import { CorruptionError, KeyDestroyedError } from "../model/errors.ts";
import type { SegmentInfo, SegmentStore } from "../segments/segment-store.ts";
import type { BlockStore } from "./block-store.ts";
import { decodeEntry } from "./journaler.ts";
import { RECORD_KIND } from "./record.ts";
import { scanSegment } from "./scan-segment.ts";

/** What is compared. */
export interface AgeParts {
  readonly catalog: Pick<Catalog, "segments" | "journal">;
  readonly segments: SegmentStore;
  readonly blocks: BlockStore;
  /** Hears of a segment that could not be looked at. */
  readonly onError: (segment: number, error: unknown) => void;
}

/**
 * A segment in which the journal goes on after the latest that the catalog knows of, if there is
 * one: then the catalog was put back as it once was, and a collection would remove what has been
 * stored since. Sequences are given by the catalog before an entry is written, so none is ahead of
 * it otherwise, however a process ended. What cannot be read tells nothing.
 */
export async function findLaterSegment(parts: AgeParts): Promise<number | undefined> {
  const sequence = await parts.catalog.journal.sequence();
  for (const info of await unknownSegments(parts)) {
    try {
      if ((await latestSequence(parts, info)) > sequence) return info.segment;
    } catch (error) {
      parts.onError(info.segment, error);
    }
  }
  return undefined;
}

/** What lies behind the last record that the catalog finds. */
async function unknownSegments({ catalog, segments }: AgeParts): Promise<SegmentInfo[]> {
  let known = 0;
  for (const segment of (await catalog.segments.liveBytes()).keys()) {
    known = Math.max(known, segment);
  }
  const end = await catalog.segments.endOf(known);
  const later = (await segments.list()).filter(({ segment }) => segment >= known);
  return later.flatMap((info) => {
    if (info.segment > known) return info;
    return end === undefined ? [] : { ...info, firstOffset: end };
  });
}

async function latestSequence({ segments, blocks }: AgeParts, info: SegmentInfo): Promise<number> {
  let latest = 0;
  for await (const { placement, header } of scanSegment(segments, info)) {
    if (header?.kind !== RECORD_KIND.entry) continue;
    try {
      const { plain } = await blocks.records.openAt(placement);
      latest = Math.max(latest, decodeEntry(plain).sequence);
    } catch (error) {
      // Torn by a crash, or of a key that is gone.
      if (!(error instanceof CorruptionError || error instanceof KeyDestroyedError)) throw error;
    }
  }
  return latest;
}
