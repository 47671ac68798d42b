import type { Bench } from "../harness/bench.ts";
import type { Figure } from "../harness/figure.ts";
import { interleave, type Row, rowOf } from "../harness/rounds.ts";
import { median } from "../harness/statistics.ts";
import type { ComparisonTimes } from "../programs/load-generator.ts";
import type { SnapshotPair } from "../programs/seed-store.ts";

/** Comparisons that only make the server's code warm, on snapshots that nothing else uses. */
const WARMUP_COUNT = 40;
/** Warm comparisons of each kind in a round. */
const WARM_COUNT = 15;

/**
 * The first page of a comparison, and all its pages, at the end of a long chain of 64 TiB volumes,
 * beside that of a 1 GiB volume's first two snapshots. Each measurement has a server of its own, so
 * that its first comparison finds no node in memory.
 */
export const changed: Figure = {
  name: "changed",
  group: "service",
  about: "1,000 of 1 M blocks, 64 TiB, depth 1,000; beside: 1,000 of 2,048 blocks, 1 GiB, depth 2",
  async run(bench) {
    const { small, large, dataDirectory } = await bench.seeded();
    const [warmUp, beside] = small as readonly [SnapshotPair, SnapshotPair];
    const rows: Row[] = [];
    for (const [layout, pair] of Object.entries(large)) {
      const compare = (compared: SnapshotPair) => () =>
        compareOnFresh(bench, dataDirectory, { warmUp, compared });
      const contenders = { varve: compare(pair), floor: compare(beside) };
      const measured = await interleave(bench.options.rounds, contenders);
      for (const cache of ["cold", "warm"]) {
        const figure = `changed, ${layout}, ${cache}`;
        rows.push(rowOf(measured, cache, { figure, unit: "ms", goal: "≤ 2, ≤ 20 ms" }));
        const whole = { figure: `${figure}, to the end`, unit: "ms" };
        rows.push(rowOf(measured, `${cache} whole`, whole));
      }
    }
    return rows;
  },
};

async function compareOnFresh(
  bench: Bench,
  dataDirectory: string,
  { warmUp, compared }: { readonly warmUp: SnapshotPair; readonly compared: SnapshotPair },
) {
  await using varve = await bench.startVarve("changed", dataDirectory);
  const { endpoint } = varve;
  const repeated = (pair: SnapshotPair, count: number) => Array.from({ length: count }, () => pair);
  const pairs = [...repeated(warmUp, WARMUP_COUNT), ...repeated(compared, 1 + WARM_COUNT)];
  const asked = { endpoint, pairs };
  const times = await bench.generator.call<ComparisonTimes[]>("comparePages", asked);
  const [cold, ...warm] = times.slice(WARMUP_COUNT) as [ComparisonTimes, ...ComparisonTimes[]];
  return {
    cold: cold.firstMs,
    "cold whole": cold.wholeMs,
    warm: median(warm.map(({ firstMs }) => firstMs)),
    "warm whole": median(warm.map(({ wholeMs }) => wholeMs)),
  };
}
