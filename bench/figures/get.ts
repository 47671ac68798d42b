import { join } from "node:path";
import { type Server, underLoad } from "../harness/bench.ts";
import { randomBytesFrom } from "../harness/blocks.ts";
import type { Figure } from "../harness/figure.ts";
import { CONNECTIONS, startSnapshot } from "../harness/puts.ts";
import { interleave, rowOf } from "../harness/rounds.ts";

/** Gets in random order; the server verifies each block before it sends it. */
export const get: Figure = {
  name: "get",
  group: "service",
  about: "4,000 gets of 2,000 random blocks; floor: read, SHA-256 compared, bytes",
  async run(bench) {
    await using varve = await bench.startVarve("get");
    const blocks = { kind: "random", name: "get", count: bench.scaled(2_000) } as const;
    const path = join(await bench.folder("floor"), "blocks");
    await using floor = await bench.startFloor("get-floor", { path, blocks });
    const snapshotId = await startSnapshot(bench, varve);
    const { generator } = bench;
    const stored = { endpoint: varve.endpoint, snapshotId, blocks, connections: CONNECTIONS };
    await generator.call("put", stored);
    await generator.call("completeSnapshot", { ...stored, count: blocks.count });
    await generator.call("readTokens", stored);
    const getFrom = (server: Server) => (round: number) => {
      const order = [
        ...shuffled(blocks.count, `${round} a`),
        ...shuffled(blocks.count, `${round}`),
      ];
      const load = { ...stored, endpoint: server.endpoint, order };
      return underLoad(server, () => generator.call("get", load));
    };
    for (const server of [varve, floor]) await getFrom(server)(-1);
    const contenders = { varve: getFrom(varve), floor: getFrom(floor) };
    const measured = await interleave(bench.options.rounds, contenders);
    return [
      rowOf(measured, "rate", { figure: "get", unit: "blocks/s", goal: "≥ 0.80" }),
      rowOf(measured, "p50Ms", { figure: "get p50", unit: "ms" }),
      rowOf(measured, "p99Ms", { figure: "get p99", unit: "ms" }),
      rowOf(measured, "cpuPerThousand", { figure: "get CPU", unit: "s/1,000" }),
    ];
  },
};

/** The numbers below `count` in an order that the seed decides. */
function shuffled(count: number, seed: string): number[] {
  const chance = randomBytesFrom(seed, 4 * count);
  return Array.from({ length: count }, (_, i) => i).sort(
    (a, b) => chance.readUInt32LE(4 * a) - chance.readUInt32LE(4 * b),
  );
}
