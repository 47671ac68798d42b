import { readFile } from "node:fs/promises";

/** Block indexes that a transfer log says are done; nothing where there is no log yet. */
export async function notedIn(path: string): Promise<Set<number>> {
  const text = await readFile(path, "utf8").catch(() => "");
  const noted = new Set<number>();
  // The last line may be torn.
  for (const line of text.split("\n").slice(0, -1)) {
    const { block, blocks = [] } = JSON.parse(line.slice(9));
    if (block !== undefined) noted.add(block);
    for (const [blockIndex] of blocks) noted.add(blockIndex);
  }
  return noted;
}
