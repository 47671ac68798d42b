import { InvalidArgumentError } from "commander";
import type { Tag } from "../client/index.ts";
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
