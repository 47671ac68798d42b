import { join } from "node:path";
import type { Bench, Server } from "../harness/bench.ts";
import type { Figure } from "../harness/figure.ts";
import { IMAGE_DATA_BYTES, IMAGE_SIZE_BYTES, makeImage } from "../harness/image.ts";
import { putToVarve, startSnapshot } from "../harness/puts.ts";
import { type Row, valueRow } from "../harness/rounds.ts";
import { median } from "../harness/statistics.ts";
import { varveCommand } from "../harness/varve-command.ts";

/** Seconds under load; a fortieth of it in a quick run. */
const LOAD_SECONDS = 120;
const LOOK_INTERVAL_MS = 250;
/** Connections that put, and as many that get. */
const CONNECTIONS_EACH = 32;
/** Of so many sets of blocks only one is new each time around, so that no disk is filled. */
const SETS = 8;

/** What memory the server takes under a load that goes on, and the command for any image. */
export const memory: Figure = {
  name: "memory",
  group: "service",
  about: "MiB of the server under 64 connections of puts and gets for minutes, and of the command",
  async run(bench) {
    await using varve = await bench.startVarve("memory");
    const seen = await underMixedLoad(bench, varve);
    const [, second = [], , last = []] = quarters(seen);
    const growth = median(last) / median(second);
    return [
      valueRow([Math.max(...seen)], { figure: "server, most", unit: "MiB", goal: "≤ 256 MiB" }),
      valueRow([growth], {
        figure: "server, last to second quarter",
        unit: "share",
        goal: "≤ 1.1",
      }),
      ...(await ofCommand(bench, varve)),
    ];
  },
};

async function underMixedLoad(bench: Bench, varve: Server): Promise<number[]> {
  const count = bench.scaled(1_000);
  const blocks = { kind: "text", name: "read", count } as const;
  const snapshotId = await startSnapshot(bench, varve);
  const stored = { endpoint: varve.endpoint, snapshotId, blocks, connections: CONNECTIONS_EACH };
  await bench.generator.call("put", stored);
  await bench.generator.call("completeSnapshot", { ...stored, count });
  await bench.generator.call("readTokens", stored);
  const endsAt = performance.now() + bench.scaled(LOAD_SECONDS) * 1000;
  const isOver = () => performance.now() >= endsAt;
  const seen: number[] = [];
  const look = setInterval(() => seen.push(varve.child.memoryMib()), LOOK_INTERVAL_MS);
  const getOn = async () => {
    while (!isOver()) await bench.generator.call("get", stored);
  };
  const putOn = async () => {
    for (let round = 0; !isOver(); round++) {
      const name = round % SETS === 0 ? `new ${round}` : `set ${round % SETS}`;
      await putToVarve(bench, varve, { ...blocks, name, connections: CONNECTIONS_EACH });
    }
  };
  await Promise.all([getOn(), putOn()]).finally(() => clearInterval(look));
  return seen;
}

function quarters(values: readonly number[]): number[][] {
  const length = Math.ceil(values.length / 4);
  return [0, 1, 2, 3].map((i) => values.slice(i * length, (i + 1) * length));
}

async function ofCommand(bench: Bench, { endpoint }: Server): Promise<Row[]> {
  const folder = await bench.folder("images");
  const [path, back] = [join(folder, "image"), join(folder, "back")];
  const sizeBytes = bench.scaled(IMAGE_SIZE_BYTES);
  const dataBytes = bench.scaled(IMAGE_DATA_BYTES);
  await makeImage({ path, name: "memory", sizeBytes, dataBytes });
  const varve = varveCommand(endpoint, folder);
  const upload = await varve("upload", path);
  const download = await varve("download", upload.output.trim(), back);
  const goal = "≤ 200 MiB";
  return [
    valueRow([upload.peakMib], { figure: "varve upload, most", unit: "MiB", goal }),
    valueRow([download.peakMib], { figure: "varve download, most", unit: "MiB", goal }),
  ];
}
