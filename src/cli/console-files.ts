import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** Beside the compiled code in the package; in a checkout, where `npm run build` puts it. */
const BUILT = new URL(
  import.meta.url.endsWith(".ts") ? "../../dist/console/" : "../console/",
  import.meta.url,
);

/**
 * The built web console by path, `index.html` and `assets/...`, for `openService`; undefined where
 * it has not been built.
 */
export async function readConsoleFiles(
  folder: URL = BUILT,
): Promise<ReadonlyMap<string, Uint8Array> | undefined> {
  const names = ["index.html", ...(await assetNames(folder))];
  const read = async (name: string) => [name, await readFile(new URL(name, folder))] as const;
  try {
    return new Map(await Promise.all(names.map(read)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function assetNames(folder: URL): Promise<string[]> {
  try {
    const names = await readdir(fileURLToPath(new URL("assets/", folder)));
    return names.map((name) => `assets/${name}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
