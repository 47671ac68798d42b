import type { Bench, Server } from "./bench.ts";
import { underLoad } from "./bench.ts";
import type { BlockSetOptions } from "./blocks.ts";
import type { Sample } from "./rounds.ts";

/** Connections of every block load. */
export const CONNECTIONS = 16;
/** GiB of the volumes that blocks are put to: room for 2,048. */
const VOLUME_SIZE_GIB = 1;

/** Begins a snapshot that takes up to 2,048 blocks. */
export function startSnapshot(
  bench: Bench,
  { endpoint }: Pick<Server, "endpoint">,
): Promise<string> {
  return bench.generator.call("startSnapshot", { endpoint, volumeSizeGib: VOLUME_SIZE_GIB });
}

/** Puts the blocks to a snapshot of their own. */
export async function putToVarve(
  bench: Bench,
  varve: Server,
  { connections = CONNECTIONS, ...blocks }: BlockSetOptions & { readonly connections?: number },
): Promise<Sample> {
  const snapshotId = await startSnapshot(bench, varve);
  const load = { endpoint: varve.endpoint, snapshotId, blocks, connections };
  return underLoad(varve, () => bench.generator.call("put", load));
}

/** Puts the same blocks, by the same requests, to a floor that knows no snapshots. */
export function putToFloor(bench: Bench, floor: Server, blocks: BlockSetOptions): Promise<Sample> {
  const { endpoint } = floor;
  const load = { endpoint, snapshotId: "snap-0", blocks, connections: CONNECTIONS };
  return underLoad(floor, () => bench.generator.call("put", load));
}
