import type { Bench } from "../harness/bench.ts";
import { Child } from "../harness/child.ts";
import type { Figure } from "../harness/figure.ts";
import { interleave, type Row, rowOf, valueRow } from "../harness/rounds.ts";
import type { FilledMap } from "../programs/map-store.ts";

/** Blocks of the largest volume, 64 TiB; a quarter of them unless all are asked for. */
const BLOCK_COUNT = 134_217_728;
const PART = 4;
/** Completions that only make the server's code warm. */
const WARMUP_COUNT = 5;
const ROUNDS_MIN = 5;

/** A block map filled up, and a child of it completed. */
export const map: Figure = {
  name: "map",
  group: "size",
  about: "a map of 33,554,432 blocks (with --full 134,217,728), and a child of it completed",
  async run(bench) {
    const share = bench.options.isFull ? 1 : PART;
    const blockCount = Math.ceil(BLOCK_COUNT / share / (bench.options.isQuick ? 100 : 1));
    const dataDirectory = await bench.folder("map");
    const filled = await fill(dataDirectory, blockCount);
    return [...rowsOf(filled), await completeRow(bench, dataDirectory, filled)];
  },
};

async function fill(dataDirectory: string, blockCount: number): Promise<FilledMap> {
  await using child = new Child("map-store");
  return await child.call<FilledMap>("fill", { dataDirectory, blockCount });
}

function rowsOf(filled: FilledMap): Row[] {
  const { secondsPerMillion, bytesPerBlock, memoryMib, lookupReads, lookupMs } = filled;
  const growth = (memoryMib.at(-1) ?? Number.NaN) / (memoryMib[1] ?? Number.NaN);
  const row = (figure: string, value: number, [unit, goal]: readonly [string, string]) =>
    valueRow([value], { figure: `map, ${figure}`, unit, goal });
  return [
    row("filling", secondsPerMillion, ["s/1 M", ""]),
    row("stored", bytesPerBlock, ["B/block", ""]),
    row("memory, most", Math.max(...memoryMib), ["MiB", ""]),
    row("memory, last to second eighth", growth, ["share", "≤ 1.1"]),
    row("look-up with nothing in memory", lookupReads, ["reads", "≤ 3"]),
    row("look-up with nothing in memory", lookupMs, ["ms", ""]),
  ];
}

/** A child with ten changes of the great snapshot, beside one of a snapshot of a GiB. */
async function completeRow(
  bench: Bench,
  dataDirectory: string,
  { snapshotId, smallId }: FilledMap,
): Promise<Row> {
  await using varve = await bench.startVarve("map", dataDirectory);
  const { endpoint } = varve;
  const complete = (parentId: string, volumeSizeGib: number) => async (round: number) => {
    const name = `${parentId} ${round}`;
    const child = { endpoint, parentId, volumeSizeGib, name, count: 10 };
    return { ms: await bench.generator.call<number>("completeChild", child) };
  };
  const contenders = { varve: complete(snapshotId, 65_536), floor: complete(smallId, 1) };
  for (let i = 0; i < WARMUP_COUNT; i++) await contenders.floor(-1 - i);
  const rounds = Math.max(ROUNDS_MIN, bench.options.rounds);
  const measured = await interleave(rounds, contenders);
  return rowOf(measured, "ms", { figure: "complete", unit: "ms", goal: "≤ 2, ≤ 50 ms" });
}
