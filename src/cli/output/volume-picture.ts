import type { Extent } from "../../model/extent.ts";

const CELLS = 64;
/** From nothing changed to everything changed. */
const SHADES = ["·", "░", "▒", "▓", "█"] as const;
const COLOR = "\u001b[33m";
const COLOR_END = "\u001b[0m";

/**
 * Draws a volume as one line of cells, each shaded by the share of its blocks that the extents
 * cover. A cell with the least change is never drawn as unchanged.
 */
export function paintCells(
  extents: readonly Extent[],
  blockCount: number,
  isColored: boolean,
): string {
  const perCell = blockCount / CELLS;
  const covered = new Float64Array(CELLS);
  for (const { start, count } of extents) addCoverage(covered, start / perCell, count / perCell);
  const cells = Array.from(covered, (share) => shadeOf(share));
  if (!isColored) return cells.join("");
  return cells.map((cell) => (cell === "·" ? cell : `${COLOR}${cell}${COLOR_END}`)).join("");
}

/** Adds an extent, measured in cells, to the cells it touches. */
function addCoverage(covered: Float64Array, start: number, length: number): void {
  const end = Math.min(start + length, covered.length);
  for (let cell = Math.floor(start); cell < end; cell++) {
    const share = Math.min(end, cell + 1) - Math.max(start, cell);
    covered[cell] = (covered[cell] ?? 0) + share;
  }
}

function shadeOf(share: number): string {
  const most = SHADES.length - 1;
  return SHADES[Math.min(most, Math.ceil(share * most - 1e-9))] ?? "·";
}
