import type { Context } from "./_context.ts";

/*
 * A check is one documented fact. Its body throws a Mismatch when the endpoint does otherwise. A
 * deviation that docs/api.md lists stands beside it as a second body: when the first fails and the
 * second holds, the endpoint is compatible, not exact.
 */

/** How an endpoint did on one check. */
export type Verdict = "exact" | "compatible" | "fail" | "skip";

type Body = (context: Context) => unknown;

/** A deviation that a strict client survives. */
export interface Deviation {
  /** First cell of its row in the table of deviations in docs/api.md. */
  readonly row: string;
  readonly body: Body;
}

/** One documented fact. */
export interface Check {
  /** Section of the fact sheet and a short name: `2.2/ascending`. */
  readonly id: string;
  readonly group: string;
  /** The fact, in one sentence. */
  readonly says: string;
  readonly body: Body;
  deviation?: Deviation;
  /** Why it cannot be checked from here. */
  readonly skip?: string;
}

/** The checks of one table row of the report, in order. */
export class Group {
  readonly name: string;
  readonly checks: Check[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** Adds a fact; `or` on what it answers adds the deviation that is allowed. */
  check(id: string, says: string, body: Body) {
    const check: Check = { id, group: this.name, says, body };
    this.checks.push(check);
    return {
      or: (row: string, deviating: Body) => {
        check.deviation = { row, body: deviating };
      },
    };
  }

  /** Adds a fact that no run of this suite can show, with the reason. */
  skip(id: string, says: string, reason: string): void {
    this.checks.push({ id, group: this.name, says, body: () => undefined, skip: reason });
  }
}
