import { FencedError } from "../../src/catalog/collection.ts";
import { CorruptionError, DiskFullError } from "../../src/model/errors.ts";
import { ClockSkewError } from "../../src/snapshots/chores/collection-clock.ts";
import type { Mishap } from "./weather.ts";

/*
 * Which errors may be seen, and when. Each has to be accounted for by something that really went
 * wrong in this run and brings just this kind of error. So what is nobody's weather is never
 * excused: a TypeError, an assertion that failed, a constraint of the catalog.
 */

/** What a simulated disk or catalog throws of itself. */
export class SimulatedFailure extends Error {
  readonly mishap: Mishap;

  constructor(mishap: Mishap, message: string, code?: string) {
    super(`${message} (simulated)`);
    this.mishap = mishap;
    if (code !== undefined) Object.assign(this, { code });
  }
}

/** What had happened by the time of an error. */
export interface Circumstances {
  has(...mishaps: readonly Mishap[]): boolean;
  /** Whether two collectors may get into each other's way. */
  readonly isCollectedTwice: boolean;
  /** True once nothing goes wrong any more; what lies damaged on the disk still does. */
  readonly isCalm: boolean;
}

/** True where what happened accounts for an error of the kind. */
export function isExcused(error: unknown, happened: Circumstances): boolean {
  if (isDamage(error)) return mayBeDamaged(happened);
  if (happened.isCalm) return false;
  if (error instanceof SimulatedFailure) return happened.has(error.mishap);
  if (error instanceof DiskFullError) return happened.has("full");
  if (error instanceof ClockSkewError) return happened.has("jump");
  return error instanceof FencedError && happened.isCollectedTwice;
}

/** Bits that change on the disk stay so; what a read answers wrongly, the next answers rightly. */
function mayBeDamaged({ has, isCalm }: Circumstances): boolean {
  return has("rot") || (!isCalm && has("flip", "stray", "read"));
}

/** True where bytes lie there, and are wrong. */
export function isDamage(error: unknown): boolean {
  return error instanceof CorruptionError && !MISSING.test(error.message);
}

/**
 * True where there are no bytes. No bit that changed can be what took them away: it was removed, or
 * never stored.
 */
export function isMissing(error: unknown): boolean {
  return error instanceof CorruptionError && MISSING.test(error.message);
}

const MISSING = /^No record of|is missing$|ends before offset|cannot be found$|is not there$/;
