import { type Moto, startMoto, whyNoMoto } from "../../test/support/moto.ts";
import type { Bench } from "../harness/bench.ts";
import type { Figure } from "../harness/figure.ts";
import { CONNECTIONS, startSnapshot } from "../harness/puts.ts";
import { interleave, missingRow, type Row, rowOf } from "../harness/rounds.ts";

/** moto's server, which people test clients with today: blocks in memory, none checked. */
export const moto: Figure = {
  name: "moto",
  group: "peers",
  about: "300 puts and gets; beside: moto's server, which keeps blocks in memory",
  async run(bench) {
    const reason = whyNoMoto();
    if (reason !== undefined) return [missingRow("moto", reason)];
    const peer = await startMoto();
    try {
      return await besideMoto(bench, peer);
    } finally {
      await peer.close();
    }
  },
};

async function besideMoto(bench: Bench, peer: Moto): Promise<Row[]> {
  await using varve = await bench.startVarve("moto");
  const count = bench.scaled(300);
  const endpoints = { varve: varve.endpoint, floor: peer.url.origin };
  const snapshots = new Map<string, string>();
  const put = (endpoint: string) => async (round: number) => {
    const blocks = { kind: "random", name: `moto ${round}`, count } as const;
    const snapshotId = await startSnapshot(bench, { endpoint });
    snapshots.set(endpoint, snapshotId);
    const load = { endpoint, snapshotId, blocks, connections: CONNECTIONS };
    const { seconds } = await bench.generator.call<{ seconds: number }>("put", load);
    return { rate: count / seconds };
  };
  const { rounds } = bench.options;
  for (const endpoint of Object.values(endpoints)) await put(endpoint)(-1);
  const puts = await interleave(rounds, {
    varve: put(endpoints.varve),
    floor: put(endpoints.floor),
  });
  const blocks = { kind: "random", name: `moto ${rounds - 1}`, count } as const;
  const get = (endpoint: string) => async () => {
    const snapshotId = snapshots.get(endpoint) ?? "";
    const load = { endpoint, snapshotId, blocks, connections: CONNECTIONS };
    const { seconds } = await bench.generator.call<{ seconds: number }>("get", load);
    return { rate: count / seconds };
  };
  for (const endpoint of Object.values(endpoints)) {
    const snapshotId = snapshots.get(endpoint) ?? "";
    await bench.generator.call("completeSnapshot", { endpoint, snapshotId, count });
    await bench.generator.call("readTokens", { endpoint, snapshotId });
    await get(endpoint)();
  }
  const gets = await interleave(rounds, {
    varve: get(endpoints.varve),
    floor: get(endpoints.floor),
  });
  return [
    rowOf(puts, "rate", { figure: "put, moto", unit: "blocks/s", goal: "≥ 5" }),
    rowOf(gets, "rate", { figure: "get, moto", unit: "blocks/s", goal: "≥ 5" }),
  ];
}
