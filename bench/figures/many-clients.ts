import { type Bench, type Server, underLoad } from "../harness/bench.ts";
import type { Figure } from "../harness/figure.ts";
import { putToVarve, startSnapshot } from "../harness/puts.ts";
import { type Row, type Sample, valueRow } from "../harness/rounds.ts";
import { median } from "../harness/statistics.ts";

const CONNECTION_COUNTS = [1, 4, 16, 64, 256] as const;
/** With fewer, to connect is most of what a connection does; a snapshot has room for 2,048. */
const PUTS_A_CONNECTION_MIN = 8;
/** Loads of each kind at each number of connections. */
const ROUNDS_MAX = 3;

/** The same puts and gets over more and more connections. */
export const manyClients: Figure = {
  name: "many-clients",
  group: "service",
  about: "puts and gets over 1 to 256 connections: rate, p99, and the event loop's delay",
  async run(bench) {
    await using varve = await bench.startVarve("many-clients");
    const stored = await storeBlocks(bench, varve);
    const rows: Row[] = [];
    const rates: Record<"put" | "get", number[]> = { put: [], get: [] };
    for (const connections of CONNECTION_COUNTS) {
      await varve.child.call("watchLoop");
      for (const kind of ["put", "get"] as const) {
        const samples: Sample[] = [];
        for (let round = 0; round < Math.min(ROUNDS_MAX, bench.options.rounds); round++) {
          const load = { ...stored, connections, round, kind };
          samples.push(await loadOnce(bench, varve, load));
        }
        const rate = samples.map((sample) => sample["rate"] ?? Number.NaN);
        rates[kind].push(median(rate));
        const figure = `${kind}, ${connections} connections`;
        rows.push(valueRow(rate, { figure, unit: "blocks/s" }));
        const p99 = samples.map((sample) => sample["p99Ms"] ?? Number.NaN);
        rows.push(valueRow(p99, { figure: `${figure}, p99`, unit: "ms" }));
      }
      const { p99Ms } = await varve.child.call<{ p99Ms: number }>("loopDelay");
      const figure = `loop delay p99, ${connections} connections`;
      rows.push(valueRow([p99Ms], { figure, unit: "ms", goal: "≤ 50 ms" }));
    }
    for (const kind of ["put", "get"] as const) {
      const share = (rates[kind].at(-1) ?? Number.NaN) / Math.max(...rates[kind]);
      const figure = `${kind}, 256 connections, of the peak`;
      rows.push(valueRow([share], { figure, unit: "share", goal: "≥ 0.9" }));
    }
    return rows;
  },
};

interface Stored {
  readonly endpoint: string;
  readonly snapshotId: string;
  readonly blocks: { readonly kind: "random"; readonly name: string; readonly count: number };
}

async function storeBlocks(bench: Bench, varve: Server): Promise<Stored> {
  const blocks = { kind: "random", name: "many", count: bench.scaled(1_000) } as const;
  const snapshotId = await startSnapshot(bench, varve);
  const stored = { endpoint: varve.endpoint, snapshotId, blocks };
  await bench.generator.call("put", { ...stored, connections: 16 });
  await bench.generator.call("completeSnapshot", { ...stored, count: blocks.count });
  await bench.generator.call("readTokens", stored);
  return stored;
}

async function loadOnce(
  bench: Bench,
  varve: Server,
  load: Stored & {
    readonly connections: number;
    readonly round: number;
    readonly kind: "put" | "get";
  },
): Promise<Sample> {
  const { connections, round, kind, blocks } = load;
  if (kind === "get") return underLoad(varve, () => bench.generator.call("get", load));
  const name = `many ${connections} ${round}`;
  const count = Math.max(blocks.count, bench.scaled(PUTS_A_CONNECTION_MIN * connections));
  return putToVarve(bench, varve, { ...blocks, name, connections, count });
}
