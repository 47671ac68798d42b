import { InvalidArgumentError } from "commander";
import type { Tag, TagPattern } from "../client/index.ts";
import { parseSnapshotId } from "../model/ids.ts";
import {
  SESSION_DURATION_SECONDS_MAX,
  SESSION_DURATION_SECONDS_MIN,
  SNAPSHOT_ID_CHARACTERS_MAX,
} from "../model/limits.ts";

/** Parses a snapshot id; for commander, which names the argument in its message. */
export function snapshotIdArgument(text: string): string {
  if (text.length <= SNAPSHOT_ID_CHARACTERS_MAX && parseSnapshotId(text)) return text;
  throw new InvalidArgumentError("A snapshot id looks like snap-0123456789abcdef0.");
}

/** The same for an argument that can be given more than once. */
export function snapshotIdArguments(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, snapshotIdArgument(text)];
}

/** Parses a whole number within bounds, both inclusive. */
export function integerArgument(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`A whole number from ${min} to ${max} is needed.`);
  };
}

/** Parses `KEY=VALUE`; can be given more than once. */
export function tagArgument(text: string, earlier: readonly Tag[] = []): Tag[] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("A tag is given as KEY=VALUE.");
  return [...earlier, { Key: text.slice(0, equals), Value: text.slice(equals + 1) }];
}

const SECONDS_OF_UNIT: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600 };

/** Parses how long temporary credentials last, as `900s`, `15m` or `1h`; answers seconds. */
export function durationArgument(text: string): number {
  const [, count, unit = ""] = /^([0-9]{1,6})([smh])$/.exec(text) ?? [];
  const seconds = Number(count) * (SECONDS_OF_UNIT[unit] ?? Number.NaN);
  const isWithin =
    seconds >= SESSION_DURATION_SECONDS_MIN && seconds <= SESSION_DURATION_SECONDS_MAX;
  if (isWithin) return seconds;
  throw new InvalidArgumentError("A time from 15m to 36h is needed, as 900s, 15m or 1h.");
}

/** Parses `KEY` or `KEY=VALUE`; can be given more than once. */
export function tagPatternArgument(
  text: string,
  earlier: readonly TagPattern[] = [],
): TagPattern[] {
  const equals = text.indexOf("=");
  if (text === "" || equals === 0) {
    throw new InvalidArgumentError("A tag is given as KEY or KEY=VALUE.");
  }
  const tag =
    equals < 0 ? { Key: text } : { Key: text.slice(0, equals), Value: text.slice(equals + 1) };
  return [...earlier, tag];
}

const MS_OF_UNIT: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

/** Parses a length of time, as `90s`, `15m`, `36h`, `7d` or `2w`; answers milliseconds. */
export function timeSpanArgument(text: string): number {
  const [, count, unit = ""] = /^([0-9]{1,6})([smhdw])$/.exec(text) ?? [];
  const ms = Number(count) * (MS_OF_UNIT[unit] ?? Number.NaN);
  if (ms > 0) return ms;
  throw new InvalidArgumentError("A length of time is needed, as 90s, 15m, 36h, 7d or 2w.");
}

/** Parses a time, as `2026-11-25` (midnight in UTC) or `2026-11-25T08:00:00Z`; answers ms. */
export function timeArgument(text: string): number {
  const isTime = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/.test(
    text,
  );
  const timeMs = isTime ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(timeMs)) return timeMs;
  throw new InvalidArgumentError(
    "A time is needed, as 2026-11-25 or, with its zone, 2026-11-25T08:00Z.",
  );
}
