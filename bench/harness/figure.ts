import type { Bench } from "./bench.ts";
import type { Row } from "./rounds.ts";

/** One thing to measure: it sets up its servers, runs its rounds and answers rows. */
export interface Figure {
  readonly name: string;
  /** What is measured against what, in one line. */
  readonly about: string;
  run(bench: Bench): Promise<Row[]>;
}
