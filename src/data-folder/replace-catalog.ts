import { access, open, rename, rm } from "node:fs/promises";
import { CatalogNotWrittenError } from "../model/errors.ts";
import { ignoringMissing } from "./_ignoring-missing.ts";

/** Where the catalog of a data folder lies, and a new one while it is made. */
export function catalogPaths(dataDirectory: string) {
  const path = `${dataDirectory}/catalog.sqlite`;
  return { path, rebuilt: `${path}.rebuilt` };
}

/**
 * Puts a new catalog, which has been closed, in the place of the one that is there, which is kept
 * beside it under another name. Answers that name; undefined when there was none. Rejects, and
 * changes nothing, where the new one is not whole.
 */
export async function replaceCatalog(dataDirectory: string): Promise<string | undefined> {
  const { path, rebuilt } = catalogPaths(dataDirectory);
  await checkWhole(rebuilt);
  const kept = await freeName(`${path}.before-rebuild`);
  const wasThere = await rename(path, kept).then(() => true, ignoringMissing);
  // Its log belongs to it; beside the new one it would be taken for that one's.
  await rename(`${path}-wal`, `${kept}-wal`).catch(ignoringMissing);
  await rename(rebuilt, path);
  const directory = await open(dataDirectory, "r");
  await directory.sync().finally(() => directory.close());
  return wasThere ? kept : undefined;
}

/**
 * A database that is closed has its log carried over and removed. Where that failed nobody is told,
 * and the file holds a part of it alone: as the store's catalog it would know less than there is.
 */
async function checkWhole(rebuilt: string): Promise<void> {
  if (!(await isThere(`${rebuilt}-wal`))) return;
  // A full disk has better use for the room.
  for (const end of ["", "-wal"]) await rm(rebuilt + end, { force: true });
  throw new CatalogNotWrittenError(rebuilt);
}

async function isThere(path: string): Promise<boolean> {
  return (await access(path).then(() => true, ignoringMissing)) ?? false;
}

async function freeName(path: string): Promise<string> {
  for (let number = 1; ; number++) {
    const name = `${path}-${number}`;
    if (!(await isThere(name))) return name;
  }
}
