import type { Verdict } from "./_check.ts";
import { type Counts, count, type Result } from "./_run.ts";

const VERDICTS: readonly Verdict[] = ["exact", "compatible", "fail", "skip"];
const SHOWN_CHARACTERS_MAX = 300;

/** An endpoint with its results, as a column of a comparison. */
export interface Column {
  readonly name: string;
  readonly results: readonly Result[];
}

/** The table by group, the total last. */
export function countTable(results: readonly Result[]): string {
  const width = Math.max(...results.map(({ group }) => group.length));
  const line = (name: string, cells: readonly (string | number)[]) =>
    name.padEnd(width) + cells.map((cell) => String(cell).padStart(11)).join("");
  const groups = [...Map.groupBy(results, ({ group }) => group)];
  return [
    line("group", VERDICTS),
    ...groups.map(([name, members]) => line(name, cellsOf(count(members)))),
    line(`all ${results.length}`, cellsOf(count(results))),
  ].join("\n");
}

function cellsOf(counts: Counts): number[] {
  return VERDICTS.map((verdict) => counts[verdict]);
}

/** What was not as AWS has it: seen against wanted; skipped checks in one line each. */
export function differences(results: readonly Result[]): string {
  return results
    .filter(({ verdict }) => verdict !== "exact")
    .map((result) => {
      const head = `${result.verdict.padEnd(10)} ${result.id}: ${result.says}`;
      if (result.verdict === "skip") return `${head}\n           reason: ${result.reason}`;
      const row = result.row === undefined ? "" : `\n           row: ${result.row}`;
      const { seen, wanted } = result;
      return `${head}${row}\n           seen:   ${cut(seen)}\n           wanted: ${cut(wanted)}`;
    })
    .join("\n");
}

function cut(text = ""): string {
  const line = text.replaceAll("\n", "\\n");
  return line.length <= SHOWN_CHARACTERS_MAX ? line : `${line.slice(0, SHOWN_CHARACTERS_MAX)}…`;
}

/** Endpoints side by side as a markdown table: exact / compatible / fail of each group. */
export function comparison(columns: readonly Column[]): string {
  const [first] = columns;
  const groups = [...new Set(first?.results.map(({ group }) => group))];
  const cells = (results: readonly Result[]) => {
    const { exact, compatible, fail } = count(results);
    return `${exact} / ${compatible} / ${fail}`;
  };
  const row = (name: string, pick: (result: Result) => boolean) =>
    `| ${[name, ...columns.map(({ results }) => cells(results.filter(pick)))].join(" | ")} |`;
  return [
    `| exact / compatible / fail | ${columns.map(({ name }) => name).join(" | ")} |`,
    `|---|${columns.map(() => "---|").join("")}`,
    ...groups.map((name) => row(name, ({ group }) => group === name)),
    row("**all**", () => true),
  ].join("\n");
}

/** The table of one endpoint for docs/api.md. */
export function markdownTable(results: readonly Result[]): string {
  const groups = [...Map.groupBy(results, ({ group }) => group)];
  const row = (name: string, members: readonly Result[]) =>
    `| ${[name, ...cellsOf(count(members))].join(" | ")} |`;
  return [
    `| group | ${VERDICTS.join(" | ")} |`,
    "|---|---|---|---|---|",
    ...groups.map(([name, members]) => row(name, members)),
    row("**all**", results),
  ].join("\n");
}
