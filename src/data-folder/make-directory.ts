import { mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { ignoringMissing } from "./_ignoring-missing.ts";

/**
 * Makes a folder and those above it, each durable in the one that holds it. Node's own recursive
 * mkdir never ends on a file system that has the folder above but says of the new one that it
 * cannot exist, such as /proc.
 */
export async function makeDirectory(path: string): Promise<void> {
  const above = dirname(path);
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    const isMissing = code === "ENOENT" && !(await isThere(above));
    if (!isMissing) throw error;
    await makeDirectory(above);
    await mkdir(path, { mode: 0o700 });
  }
  const directory = await open(above, "r");
  await directory.sync().finally(() => directory.close());
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(ignoringMissing)) !== undefined;
}
