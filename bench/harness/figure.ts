import type { Bench } from "./bench.ts";
import type { Row } from "./rounds.ts";

/** What figures have in common, so that some of them can be run without the others. */
export type Group = "service" | "clients" | "peers" | "size";

/** One thing to measure: it sets up its servers, runs its rounds and answers rows. */
export interface Figure {
  readonly name: string;
  readonly group: Group;
  /** What is measured against what, in one line. */
  readonly about: string;
  run(bench: Bench): Promise<Row[]>;
}
