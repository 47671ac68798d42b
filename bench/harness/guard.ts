import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Row } from "./rounds.ts";

/** Ratios of an earlier run, by figure: of whole runs and of quick ones, which differ. */
interface Baseline {
  readonly whole: Readonly<Record<string, number>>;
  readonly quick: Readonly<Record<string, number>>;
}

/** How much worse a ratio may be before it is told: more than a busy machine makes of it. */
const TOLERANCE = { whole: 1.25, quick: 2 } as const;

/**
 * One line for each figure whose ratio is worse than it was: a warning to look closer, and no
 * failure, for no time on a shared machine proves anything.
 */
export function warnings(path: string, rows: readonly Row[], kind: keyof Baseline): string[] {
  const before = readBaseline(path)[kind];
  return rows.flatMap(({ figure, unit, ratio }) => {
    const earlier = before[figure];
    if (earlier === undefined || ratio === undefined || !Number.isFinite(ratio)) return [];
    const isRate = unit.includes("/s") || unit.includes("/CPU s");
    const worse = isRate ? earlier / ratio : ratio / earlier;
    if (worse <= TOLERANCE[kind]) return [];
    const was = `its ratio was ${earlier.toFixed(2)} and is ${ratio.toFixed(2)}`;
    return [`${figure} is ${worse.toFixed(1)} times worse than in bench/baseline.json: ${was}`];
  });
}

/** Keeps these ratios as those to compare with from now on; others stay as they are. */
export function saveBaseline(path: string, rows: readonly Row[], kind: keyof Baseline): void {
  const baseline = readBaseline(path);
  const ratios = rows.flatMap(({ figure, ratio }) =>
    ratio !== undefined && Number.isFinite(ratio)
      ? [[figure, Number(ratio.toFixed(3))] as const]
      : [],
  );
  const changed = { ...baseline[kind], ...Object.fromEntries(ratios) };
  const text = JSON.stringify({ ...baseline, [kind]: changed }, undefined, 2);
  writeFileSync(path, `${text}\n`);
}

function readBaseline(path: string): Baseline {
  if (!existsSync(path)) return { whole: {}, quick: {} };
  return JSON.parse(readFileSync(path, "utf8")) as Baseline;
}
