import type { Figure } from "../harness/figure.ts";
import { putToVarve } from "../harness/puts.ts";
import { interleave, rowOf } from "../harness/rounds.ts";

/** Puts of new blocks of real text, beside puts of new random ones to the same server. */
export const putCompressible: Figure = {
  name: "put-compressible",
  group: "service",
  about: "2,000 new blocks of source text; beside: 2,000 new random blocks",
  async run(bench) {
    await using varve = await bench.startVarve("put-compressible");
    const count = bench.scaled(2_000);
    await putToVarve(bench, varve, { kind: "text", name: "first", count });
    const measured = await interleave(bench.options.rounds, {
      varve: (round) => putToVarve(bench, varve, { kind: "text", name: `${round}`, count }),
      floor: (round) => putToVarve(bench, varve, { kind: "random", name: `${round}`, count }),
    });
    return [
      rowOf(measured, "rate", { figure: "put-compressible", unit: "blocks/s", goal: "≥ 1.0" }),
      rowOf(measured, "cpuPerThousand", { figure: "put-compressible CPU", unit: "s/1,000" }),
    ];
  },
};
