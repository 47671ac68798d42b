import { join } from "node:path";
import type { Figure } from "../harness/figure.ts";
import { putToFloor, putToVarve } from "../harness/puts.ts";
import { interleave, rowOf } from "../harness/rounds.ts";

/** Durable puts of blocks that are all new and do not compress. */
export const put: Figure = {
  name: "put",
  group: "service",
  about: "2,000 new random blocks; floor: body, SHA-256, append, one fdatasync a batch, 201",
  async run(bench) {
    await using varve = await bench.startVarve("put");
    const path = join(await bench.folder("floor"), "blocks");
    await using floor = await bench.startFloor("put-floor", { path });
    const count = bench.scaled(2_000);
    const blocks = (round: number) => ({ kind: "random", name: `put ${round}`, count }) as const;
    await putToVarve(bench, varve, blocks(-1));
    await putToFloor(bench, floor, blocks(-1));
    const measured = await interleave(bench.options.rounds, {
      varve: (round) => putToVarve(bench, varve, blocks(round)),
      floor: (round) => putToFloor(bench, floor, blocks(round)),
    });
    return [
      rowOf(measured, "rate", { figure: "put", unit: "blocks/s", goal: "≥ 0.80" }),
      rowOf(measured, "p50Ms", { figure: "put p50", unit: "ms" }),
      rowOf(measured, "p99Ms", { figure: "put p99", unit: "ms" }),
      rowOf(measured, "cpuPerThousand", { figure: "put CPU", unit: "s/1,000" }),
    ];
  },
};
