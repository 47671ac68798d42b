import fc from "fast-check";
import { openCoreDriver } from "../model/drivers.ts";
import { histories, runHistory } from "../model/history.ts";
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
    const property = fc.asyncProperty(histories, async (steps) => {
      for (const { kind } of steps) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      await runHistory(openCoreDriver, steps);
    });
    await fc.assert(property, { seed: run.seed, numRuns: count });
    const told = [...kinds].map(([kind, times]) => `${times} ${kind}`).sort();
    return `${count} histories (steps: ${told.join(", ")}): divergences 0; no night's run yet`;
  },
});
