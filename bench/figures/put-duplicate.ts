import type { Figure } from "../harness/figure.ts";
import { putToVarve } from "../harness/puts.ts";
import { interleave, rowOf } from "../harness/rounds.ts";

/** Puts of blocks that are stored already, beside puts of new ones to the same server. */
export const putDuplicate: Figure = {
  name: "put-duplicate",
  group: "service",
  about: "2,000 random blocks that are stored already; beside: 2,000 new random blocks",
  async run(bench) {
    await using varve = await bench.startVarve("put-duplicate");
    const count = bench.scaled(2_000);
    const blocks = (name: string) => ({ kind: "random", name, count }) as const;
    await putToVarve(bench, varve, blocks("stored"));
    const measured = await interleave(bench.options.rounds, {
      varve: () => putToVarve(bench, varve, blocks("stored")),
      floor: (round) => putToVarve(bench, varve, blocks(`new ${round}`)),
    });
    return [
      rowOf(measured, "rate", { figure: "put-duplicate", unit: "blocks/s", goal: "≥ 1.5" }),
      rowOf(measured, "cpuPerThousand", { figure: "put-duplicate CPU", unit: "s/1,000" }),
    ];
  },
};
