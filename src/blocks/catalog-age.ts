import type { Catalog } from "../catalog/catalog.ts";
import type { JournalEntry } from "../catalog/journal.ts";
import { CorruptionError, KeyDestroyedError } from "../model/errors.ts";
import type { Placement, SegmentStore } from "../segments/segment-store.ts";
import type { BlockStore } from "./block-store.ts";
import { RECORD_KIND } from "./record.ts";
import { scanSegment } from "./scan-segment.ts";

/** What is compared. */
export interface AgeParts {
  readonly catalog: Pick<Catalog, "segments" | "journal">;
  readonly segments: SegmentStore;
  readonly blocks: BlockStore;
}

/**
 * A segment in which the journal goes on after the latest that the catalog knows of, if there is
 * one: then the catalog was put back as it once was, and a collection would remove what has been
 * stored since. Sequences are given by the catalog before an entry is written, so none is ahead of
 * it otherwise, however a process ended.
 */
export async function findLaterSegment(parts: AgeParts): Promise<number | undefined> {
  const { catalog, segments } = parts;
  const live = await catalog.segments.liveBytes();
  let known = 0;
  for (const segment of live.keys()) known = Math.max(known, segment);
  const sequence = await catalog.journal.sequence();
  for (const info of await segments.list()) {
    if (info.segment <= known) continue;
    for await (const { placement, header } of scanSegment(segments, info)) {
      if (header?.kind !== RECORD_KIND.entry) continue;
      const entry = await readEntry(parts, placement);
      if (entry && entry.sequence > sequence) return info.segment;
    }
  }
  return undefined;
}

/** Undefined for what a crash has torn, or nobody can read any more. */
async function readEntry(
  { blocks }: AgeParts,
  placement: Placement,
): Promise<JournalEntry | undefined> {
  try {
    const { plain } = await blocks.records.openAt(placement);
    return JSON.parse(Buffer.from(plain).toString()) as JournalEntry;
  } catch (error) {
    if (error instanceof CorruptionError || error instanceof KeyDestroyedError) return undefined;
    throw error;
  }
}
