import type { Server } from "../harness/bench.ts";
import type { Figure } from "../harness/figure.ts";
import { interleave, rowOf } from "../harness/rounds.ts";

/** From spawning the process to its first answer. */
export const startUp: Figure = {
  name: "start-up",
  group: "service",
  about: "store of 1 M blocks and 1,000 snapshots; floor: Node with an HTTP server of no use",
  async run(bench) {
    const { dataDirectory } = await bench.seeded();
    const measured = await interleave(bench.options.rounds, {
      varve: () => timed(() => bench.startVarve("start-up", dataDirectory)),
      floor: () => timed(() => bench.startFloor("hello-floor", {})),
    });
    return [rowOf(measured, "ms", { figure: "start-up", unit: "ms", goal: "≤ 500 ms" })];

    async function timed(start: () => Promise<Server>) {
      const startedAt = performance.now();
      await using server = await start();
      await bench.generator.call("firstAnswer", { endpoint: server.endpoint });
      return { ms: performance.now() - startedAt };
    }
  },
};
