import fc from "fast-check";
import { openCoreDriver } from "../model/drivers.ts";
import { histories, runHistory, type Step } from "../model/history.ts";
import { scorecard } from "./scorecard.ts";

scorecard({
  number: 9,
  name: "any history against a naive model",
  goal:
    "2,000 histories of up to 40 steps with copies, restarts, timeouts and the collector (50,000 " +
    "a night): divergences 0",
  peer: "ShardStore: 16 issues stopped by a model of about 1 % of its code",
  async run(run) {
    const count = run.count(2_000, 8);
    const kinds = new Map<string, number>();
    const onDone = (kind: Step["kind"]) => void kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    const property = fc.asyncProperty(histories, (steps) => {
      return runHistory(openCoreDriver, steps, onDone);
    });
    await fc.assert(property, { seed: run.seed, numRuns: count });
    const told = [...kinds].map(([kind, times]) => `${times} ${kind}`).sort();
    return `${count} histories (steps done: ${told.join(", ")}): divergences 0; no night's run yet`;
  },
});
