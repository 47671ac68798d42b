// Whether dist/console was built from the sources as they are. Plain JavaScript without
// dependencies: scripts/run.mjs asks at each start, on Node 20 too.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What the console is made of: its own folder and the layers below it. */
const SOURCES = ["src/console", "src/client", "src/wire", "src/model", "src/base"];
const OTHERS = ["package-lock.json", "scripts/build-console.ts"];

const BUILT = "dist/console/index.html";
const STAMP = "node_modules/.cache/varve-console-sha256";

/** True when there is nothing to build. */
export function isConsoleBuilt(root) {
  const [built, stamp] = [join(root, BUILT), join(root, STAMP)];
  if (!existsSync(built) || !existsSync(stamp)) return false;
  return readFileSync(stamp, "utf8").trim() === consoleStamp(root);
}

/** Remembers that dist/console was built from the sources of that stamp. */
export function noteConsoleBuilt(root, stamp) {
  const path = join(root, STAMP);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${stamp}\n`);
}

/** SHA-256 over the names and contents of all that the console is built from. */
export function consoleStamp(root) {
  const hash = createHash("sha256");
  const names = SOURCES.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name)),
  );
  for (const path of [...names.sort(), ...OTHERS.map((name) => join(root, name))]) {
    hash.update(`${path.slice(root.length)}\0`).update(readFileSync(path));
  }
  return hash.digest("hex");
}
