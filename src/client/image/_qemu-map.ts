import { readFile, stat } from "node:fs/promises";
import type { Extent } from "../../model/extent.ts";
import { FileError } from "../errors.ts";
import { onFile } from "./file-errors.ts";
import { joinExtents } from "./sparse-extents.ts";

/* Where an image has data, as `qemu-img map --output=json` tells of any image or device. */

/** Bytes of a map: 64 TiB of a badly scattered image have some millions of lines. */
const MAP_BYTES_MAX = 256 * 1024 * 1024;

const SECTOR_SIZE_BYTES = 512;

interface ByteRun {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a map of an image of that many bytes; answers the extents of blocks that hold data. What
 * the map says nothing of counts as data. Throws a `FileError` for what is no map, or one of an
 * image of another size.
 */
export async function readQemuMap(
  path: string,
  imageBytes: number,
): Promise<() => AsyncGenerator<Extent>> {
  const { size } = await onFile("read", path, () => stat(path));
  if (size > MAP_BYTES_MAX) throw notAMap(path, `it has more than ${MAP_BYTES_MAX} bytes`);
  const text = await onFile("read", path, () => readFile(path, "utf8"));
  const runs = parseRuns(path, text);
  const end = runs.at(-1)?.end ?? 0;
  // QEMU counts a raw file's last sector as a whole one.
  if (end > Math.ceil(imageBytes / SECTOR_SIZE_BYTES) * SECTOR_SIZE_BYTES) {
    throw notAMap(path, `it covers ${end} bytes and the image has ${imageBytes}`);
  }
  return () => joinExtents(dataRuns(runs, imageBytes));
}

/** A run of the map: data, or a hole that reads as zeros. */
interface MapRun extends ByteRun {
  readonly isData: boolean;
}

function parseRuns(path: string, text: string): MapRun[] {
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch {
    throw notAMap(path, "it is no JSON");
  }
  if (!Array.isArray(entries)) throw notAMap(path, "it is no JSON list");
  let last = 0;
  return entries.map((entry, i) => {
    const { start, length, data, zero } = (entry ?? {}) as Readonly<Record<string, unknown>>;
    const isRun =
      isSize(start) && isSize(length) && start >= last && typeof data === "boolean" && length > 0;
    if (!isRun) throw notAMap(path, `its entry ${i} has no ascending start, length and data`);
    last = start + length;
    // Allocated zeros are written zeros; what is neither data nor zeros is told by a backing file.
    return { start, end: last, isData: data || zero === false };
  });
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

async function* dataRuns(runs: readonly MapRun[], imageBytes: number): AsyncGenerator<ByteRun> {
  let known = 0;
  for (const { start, end, isData } of runs) {
    if (start > known) yield { start: known, end: start };
    if (isData) yield { start, end };
    known = end;
  }
  if (known < imageBytes) yield { start: known, end: imageBytes };
}

function notAMap(path: string, why: string): FileError {
  const message =
    `The map ${path} cannot be used: ${why}. ` +
    "Make one of this very image with: qemu-img map --output=json -f raw IMAGE";
  return new FileError(message, { path, code: "NOT_A_MAP" });
}
