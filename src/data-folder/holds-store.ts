import { access } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { ignoringMissing } from "./_ignoring-missing.ts";
import { catalogPaths } from "./replace-catalog.ts";

/**
 * Rejects unless there is a store in a folder: opening one where there is none would make one.
 */
export async function checkHoldsStore(dataDirectory: string): Promise<void> {
  const isThere = (path: string) => access(path).then(() => true, ignoringMissing);
  const { path } = catalogPaths(dataDirectory);
  if (await isThere(path)) return;
  const lack = (await isThere(dataDirectory)) ? `no ${basename(path)}` : "no such folder";
  throw new Error(
    `There is no store in ${resolve(dataDirectory)}: ${lack}. Name the folder that varve serve ` +
      "was given as --data.",
  );
}
