import { setTimeout } from "node:timers/promises";
import type { Check, Verdict } from "./_check.ts";
import type { Context } from "./_context.ts";
import { Mismatch, Skipped } from "./_expect.ts";

/** What one check came to. */
export interface Result {
  readonly id: string;
  readonly group: string;
  readonly says: string;
  readonly verdict: Verdict;
  /** The row of docs/api.md that allows a deviation. */
  readonly row?: string;
  readonly seen?: string;
  readonly wanted?: string;
  /** Why it was skipped. */
  readonly reason?: string;
}

/** How long one check may take, its own snapshots included, unless more patience is asked for. */
const CHECK_MS_MAX = 10_000;
/** Checks under way at once. */
const LANE_COUNT = 6;
/** The same where checks do little but wait, as for what emulates AWS. */
const PATIENT_LANE_COUNT = 48;
const PATIENT_MS_MIN = 60_000;

/** Runs the checks, several at once, and answers their results in the order of the checks. */
export async function runChecks(checks: readonly Check[], context: Context): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const lane = async () => {
    for (let i = next++; i < checks.length; i = next++) {
      results[i] = await runCheck(checks[i] as Check, context);
    }
  };
  const isPatient = (context.caller?.patienceMs ?? 0) >= PATIENT_MS_MIN;
  const length = isPatient ? PATIENT_LANE_COUNT : LANE_COUNT;
  await Promise.all(Array.from({ length }, lane));
  return results;
}

async function runCheck(check: Check, context: Context): Promise<Result> {
  const { id, group, says, deviation } = check;
  const named = { id, group, says };
  if (check.skip !== undefined) return { ...named, verdict: "skip", reason: check.skip };
  const difference = await attempt(check.body, context);
  if (difference === undefined) return { ...named, verdict: "exact" };
  if (difference instanceof Skipped) {
    return { ...named, verdict: "skip", reason: difference.message };
  }
  const { seen, wanted } = difference;
  if (deviation === undefined) return { ...named, verdict: "fail", seen, wanted };
  const further = await attempt(deviation.body, context);
  if (further === undefined || further instanceof Skipped) {
    return { ...named, verdict: "compatible", row: deviation.row, seen, wanted };
  }
  const both = `${wanted}, or as allowed: ${further.wanted}`;
  return { ...named, verdict: "fail", seen: `${seen}; ${further.seen}`, wanted: both };
}

interface Difference {
  readonly seen: string;
  readonly wanted: string;
}

/** Undefined where the fact holds. A crash of the endpoint, or of the check, is a difference. */
async function attempt(
  body: Check["body"],
  context: Context,
): Promise<Difference | Skipped | undefined> {
  const limit = new AbortController();
  const limitMs = Math.max(CHECK_MS_MAX, context.caller?.patienceMs ?? 0);
  const late = setTimeout(limitMs, undefined, { signal: limit.signal }).then(() => {
    throw new Mismatch(`nothing in ${limitMs / 1000} s`, "an answer");
  });
  late.catch(() => undefined);
  try {
    await Promise.race([Promise.resolve(context).then(body), late]);
    return undefined;
  } catch (error) {
    if (error instanceof Mismatch || error instanceof Skipped) return error;
    return { seen: String(error), wanted: "an answer that can be read" };
  } finally {
    limit.abort();
  }
}

/** Counts of one group or of all. */
export type Counts = Readonly<Record<Verdict, number>>;

/** How many results have each verdict. */
export function count(results: readonly Result[]): Counts {
  const of = (verdict: Verdict) => results.filter((result) => result.verdict === verdict).length;
  return { exact: of("exact"), compatible: of("compatible"), fail: of("fail"), skip: of("skip") };
}
