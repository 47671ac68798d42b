import type { Extent } from "../../client/index.ts";
import { offsetOf } from "../../model/geometry.ts";
import { formatBytes, formatCount, formatTable } from "./format.ts";

/** Lines of the table of extents, unless all are asked for. */
export const EXTENTS_SHOWN_MAX = 20;

/** Formats extents as a table: the first of them, or all. */
export function extentTable(extents: readonly Extent[], all: boolean): string {
  const shown = all ? extents : extents.slice(0, EXTENTS_SHOWN_MAX);
  const right = { align: "right" } as const;
  const columns = [
    { title: "BLOCK INDEX", ...right },
    { title: "BLOCKS", ...right },
    { title: "OFFSET", ...right },
    { title: "LENGTH", ...right },
  ];
  const rows = shown.map(({ start, count }) => [
    String(start),
    String(count),
    formatBytes(offsetOf(start)),
    formatBytes(offsetOf(count)),
  ]);
  const table = formatTable(columns, rows);
  const hidden = extents.length - shown.length;
  if (hidden === 0) return table;
  return `${table}\nand ${formatCount(hidden, "more extent")}; all with: --all`;
}
