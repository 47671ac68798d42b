import { cpus } from "node:os";
import { type Server, underLoad } from "../harness/bench.ts";
import type { Figure } from "../harness/figure.ts";
import { putToVarve, startSnapshot } from "../harness/puts.ts";
import { interleave, missingRow, rowOf } from "../harness/rounds.ts";

/** A server that may use two processors, beside the same on one of them. */
export const cores: Figure = {
  name: "cores",
  group: "service",
  about: "the server on two processors; beside: on one of them (taskset)",
  async run(bench) {
    if (cpus().length < 2) return [missingRow("cores", "there is but one processor here")];
    const count = bench.scaled(1_000);
    const started = async (processors: string) => {
      const server = await bench.startVarve("cores", undefined, processors);
      const blocks = { kind: "text", name: "read", count } as const;
      const snapshotId = await startSnapshot(bench, server);
      const stored = { endpoint: server.endpoint, snapshotId, blocks, connections: 16 };
      await bench.generator.call("put", stored);
      await bench.generator.call("completeSnapshot", { ...stored, count });
      await bench.generator.call("readTokens", stored);
      return { server, stored };
    };
    const two = await started("0,1");
    const one = await started("0");
    await using _two = two.server;
    await using _one = one.server;
    const put = (server: Server) => (round: number) =>
      putToVarve(bench, server, { kind: "text", name: `${server.endpoint} ${round}`, count });
    const get =
      ({ server, stored }: typeof two) =>
      () =>
        underLoad(server, () => bench.generator.call("get", stored));
    const { rounds } = bench.options;
    const puts = await interleave(rounds, { varve: put(two.server), floor: put(one.server) });
    const gets = await interleave(rounds, { varve: get(two), floor: get(one) });
    const goal = "> 1";
    return [
      rowOf(puts, "rate", { figure: "put text, two processors", unit: "blocks/s", goal }),
      rowOf(gets, "rate", { figure: "get text, two processors", unit: "blocks/s", goal }),
    ];
  },
};
