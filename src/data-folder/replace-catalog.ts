import { access, open, rename } from "node:fs/promises";
import { ignoringMissing } from "./_ignoring-missing.ts";

/** Where the catalog of a data folder lies, and a new one while it is made. */
export function catalogPaths(dataDirectory: string) {
  const path = `${dataDirectory}/catalog.sqlite`;
  return { path, rebuilt: `${path}.rebuilt` };
}

/**
 * Puts a new catalog in the place of the one that is there, which is kept beside it under another
 * name. Answers that name; undefined when there was none.
 */
export async function replaceCatalog(dataDirectory: string): Promise<string | undefined> {
  const { path, rebuilt } = catalogPaths(dataDirectory);
  const kept = await freeName(`${path}.before-rebuild`);
  const wasThere = await rename(path, kept).then(() => true, ignoringMissing);
  // Its log belongs to it; beside the new one it would be taken for that one's.
  await rename(`${path}-wal`, `${kept}-wal`).catch(ignoringMissing);
  await rename(rebuilt, path);
  const directory = await open(dataDirectory, "r");
  await directory.sync().finally(() => directory.close());
  return wasThere ? kept : undefined;
}

async function freeName(path: string): Promise<string> {
  for (let number = 1; ; number++) {
    const name = `${path}-${number}`;
    const isTaken = await access(name).then(() => true, ignoringMissing);
    if (!isTaken) return name;
  }
}
