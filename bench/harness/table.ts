import type { Row } from "./rounds.ts";

const COLUMNS = ["figure", "unit", "Varve", "beside", "ratio", "spread", "goal"] as const;
const TEXT_COLUMNS = [0, 1, 6];

/** The rows as one aligned table, and below it what there is to say about some of them. */
export function formatTable(rows: readonly Row[]): string {
  const lines = [COLUMNS as readonly string[], ...rows.map(cellsOf)];
  const widths = COLUMNS.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  const format = (line: readonly string[]) =>
    line
      .map((cell, i) =>
        (TEXT_COLUMNS.includes(i) ? cell.padEnd : cell.padStart).call(cell, widths[i] ?? 0),
      )
      .join("  ")
      .trimEnd();
  const notes = rows.flatMap(({ figure, note }) => (note ? [`${figure}: ${note}`] : []));
  return [...lines.map(format), ...(notes.length > 0 ? ["", ...notes] : [])].join("\n");
}

function cellsOf({ figure, unit, varve, floor, ratio, spread, goal }: Row): string[] {
  const range = spread?.map((value) => value.toFixed(2)).join("–") ?? "";
  return [figure, unit, round(varve), round(floor), ratio?.toFixed(2) ?? "", range, goal];
}

/** Three digits that mean something, and groups of thousands. */
function round(value: number | undefined): string {
  if (value === undefined) return "–";
  if (value >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toPrecision(3);
}
