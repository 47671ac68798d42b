// Builds the web console from src/console into dist/console, or into the folder given. Run by
// `npm run build`, and by `npm start` when the sources have changed; the tests build their own.

import { dirname, join, resolve } from "node:path";
import { build } from "vite";
import { consoleStamp, noteConsoleBuilt } from "./console-stamp.mjs";

const ROOT = dirname(import.meta.dirname);
const BUILT = join(ROOT, "dist", "console");

/** Builds into a folder, which is emptied first. */
export async function buildConsole(outDir: string): Promise<void> {
  await build({
    configFile: false,
    root: join(ROOT, "src", "console"),
    base: "/console/",
    logLevel: "warn",
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    build: {
      outDir,
      emptyOutDir: true,
      target: "es2024",
      // The Content-Security-Policy admits files of the origin only, nothing inline.
      assetsInlineLimit: 0,
      modulePreload: false,
    },
  });
}

if (import.meta.main) {
  const outDir = process.argv[2];
  const stamp = consoleStamp(ROOT);
  await buildConsole(outDir === undefined ? BUILT : resolve(outDir));
  if (outDir === undefined) noteConsoleBuilt(ROOT, stamp);
}
