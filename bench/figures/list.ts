import type { Server } from "../harness/bench.ts";
import type { Figure } from "../harness/figure.ts";
import { interleave, rowOf } from "../harness/rounds.ts";

interface Walked {
  readonly seconds: number;
  readonly blocks: number;
}

/** All pages of a snapshot of a million blocks. */
export const list: Figure = {
  name: "list",
  group: "service",
  about: "1 M blocks, pages of 10,000, one connection; floor: JSON.stringify of ready objects",
  async run(bench) {
    const { listed, dataDirectory } = await bench.seeded();
    const { snapshotId, extents, blockCount } = listed;
    await using varve = await bench.startVarve("list", dataDirectory);
    await using floor = await bench.startFloor("list-floor", { extents, pageLength: 10_000 });
    const walk = ({ endpoint }: Server, isChecked: boolean) =>
      bench.generator.call<Walked>("walk", { endpoint, snapshotId, isChecked });
    for (const server of [varve, floor]) {
      const { blocks } = await walk(server, true);
      if (blocks !== blockCount) throw new Error(`${blocks} blocks listed, not ${blockCount}`);
    }
    const measure = (server: Server) => async () => {
      const cpuBefore = server.child.cpuSeconds();
      const { seconds } = await walk(server, false);
      const cpu = server.child.cpuSeconds() - cpuBefore;
      return { rate: blockCount / seconds, cpuPerMillion: (cpu / blockCount) * 1e6 };
    };
    const contenders = { varve: measure(varve), floor: measure(floor) };
    const measured = await interleave(bench.options.rounds, contenders);
    const goal = "≥ 0.5, ≥ 500,000/s";
    return [
      rowOf(measured, "rate", { figure: "list", unit: "blocks/s", goal }),
      rowOf(measured, "cpuPerMillion", { figure: "list CPU", unit: "s/1 M" }),
    ];
  },
};
