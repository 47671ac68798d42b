import { Child } from "../harness/child.ts";
import type { Figure } from "../harness/figure.ts";
import { rowOf, type Sample } from "../harness/rounds.ts";
import type { CollectTimes } from "../programs/collect-store.ts";

const BLOCK_COUNT = 1_000_000;
/** Each round makes a store of its own. */
const ROUNDS_MAX = 2;

/** What it costs to give back a hundredth of a million blocks, beside all the others. */
export const collect: Figure = {
  name: "collect",
  group: "size",
  about: "1 M blocks: 1 % is freed and collected; beside: the other 99 %",
  async run(bench) {
    const blockCount = bench.scaled(BLOCK_COUNT);
    const rounds = Math.min(ROUNDS_MAX, bench.options.rounds);
    const measured = { varve: [] as Sample[], floor: [] as Sample[] };
    for (let round = 0; round < rounds; round++) {
      await using child = new Child("collect-store");
      const dataDirectory = await bench.folder("collect");
      const times = await child.call<CollectTimes>("run", { dataDirectory, blockCount });
      const freed = times.hundredthCount + times.restCount;
      if (freed < blockCount) throw new Error(`${freed} records collected, not ${blockCount}`);
      measured.varve.push({ seconds: times.hundredthSeconds });
      measured.floor.push({ seconds: times.restSeconds });
    }
    return [rowOf(measured, "seconds", { figure: "collect 1 %", unit: "s", goal: "≤ 0.05" })];
  },
};
