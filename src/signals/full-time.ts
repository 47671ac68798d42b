import type { StoreMeasure } from "../catalog/statistics.ts";
import { MS_PER_DAY } from "../model/limits.ts";

/** Growth is looked at over so many days: long enough for weekly backups (ours). */
const WINDOW_DAYS = 30;
/** Less than so many days of measures foretell nothing (ours). */
const SPAN_DAYS_MIN = 1;
/** Further ahead than ten years nothing is foretold (ours). */
const AHEAD_DAYS_MAX = 3_650;

/**
 * When so many free bytes will be used up if what is stored grows as it did in the last 30 days,
 * along the straight line that fits the measures best, in milliseconds since 1970. Undefined where
 * it does not grow, or where less than a day of it is known.
 */
export function fullTimeMs(
  measures: readonly StoreMeasure[],
  freeBytes: number,
  nowMs: number,
): number | undefined {
  const recent = measures.filter(({ timeMs }) => timeMs > nowMs - WINDOW_DAYS * MS_PER_DAY);
  const [first, last] = [recent.at(0), recent.at(-1)];
  if (!first || !last || last.timeMs - first.timeMs < SPAN_DAYS_MIN * MS_PER_DAY) return undefined;
  const bytesPerMs = slopeOf(recent.map(({ timeMs, storedBytes }) => [timeMs, storedBytes]));
  const leftMs = freeBytes / bytesPerMs;
  return leftMs >= 0 && leftMs < AHEAD_DAYS_MAX * MS_PER_DAY ? nowMs + leftMs : undefined;
}

/** Of the line with the least squares. */
function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanX = mean(points.map(([x]) => x));
  const meanY = mean(points.map(([, y]) => y));
  let [rise, run] = [0, 0];
  for (const [x, y] of points) {
    rise += (x - meanX) * (y - meanY);
    run += (x - meanX) ** 2;
  }
  return rise / run;
}
