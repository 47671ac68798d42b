import { forEachConcurrent } from "../base/concurrency.ts";
import { blocksOf, type Client, getSnapshotBlock } from "../client/browser.ts";
import { offsetOf } from "../model/geometry.ts";
import { GIB_BYTES } from "../model/limits.ts";

/** Blocks on their way at once: each takes its 512 KiB of memory, whatever the volume's size. */
const BLOCKS_AT_ONCE = 8;

/** The part of the File System Access API that is needed; not every browser has it. */
interface SaveFilePicker {
  showSaveFilePicker?(options: { suggestedName: string }): Promise<FileSystemFileHandle>;
}

/** True where the browser can write a file piece by piece. */
export function canSave(): boolean {
  return (globalThis as SaveFilePicker).showSaveFilePicker !== undefined;
}

/** Asks where to save; undefined where that was given up. */
export async function chooseFile(suggestedName: string): Promise<FileSystemFileHandle | undefined> {
  try {
    return await (globalThis as SaveFilePicker).showSaveFilePicker?.({ suggestedName });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return undefined;
    throw error;
  }
}

/**
 * Writes a snapshot as a raw image: a few blocks at a time, each verified, at its place; what was
 * never written stays zeros. The file is as it was until all is there. Answers how many blocks.
 */
export async function saveImage(
  client: Client,
  from: {
    readonly snapshotId: string;
    readonly sizeGib: number;
    readonly file: FileSystemFileHandle;
    readonly signal: AbortSignal;
  },
  onProgress: (blocksDone: number) => void,
): Promise<number> {
  const { snapshotId, sizeGib, file, signal } = from;
  const writable = await file.createWritable();
  let blocksDone = 0;
  try {
    await writable.truncate(sizeGib * GIB_BYTES);
    const blocks = blocksOf(client, snapshotId, { signal });
    await forEachConcurrent(blocks, BLOCKS_AT_ONCE, async ({ BlockIndex, BlockToken }) => {
      signal.throwIfAborted();
      const options = { signal };
      const block = await getSnapshotBlock(client, BlockIndex, snapshotId, BlockToken, options);
      const data = block.BlockData as Uint8Array<ArrayBuffer>;
      await writable.write({ type: "write", position: offsetOf(BlockIndex), data });
      blocksDone += 1;
      onProgress(blocksDone);
    });
    await writable.close();
    return blocksDone;
  } catch (error) {
    await writable.abort().catch(() => undefined);
    throw error;
  }
}
