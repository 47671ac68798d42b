#!/usr/bin/env node
// The `varve` command. An installed package runs its compiled code with the Node at hand; a
// checkout runs the TypeScript files as they are, on Node 24, which it brings along.

import { existsSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";

const checkout = new URL("../", import.meta.url);
const source = new URL("../src/cli/main.ts", import.meta.url);

process.exitCode = existsSync(source) ? await runCheckout() : await runPackage();

async function runCheckout() {
  const { COMPILE_CACHE, NODE_MAJOR_MIN, prepare, runNode } = await import(
    "../scripts/find-node.mjs"
  );
  const node = prepare(fileURLToPath(checkout).replace(/\/$/, ""));
  const args = process.argv.slice(2);
  if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN) {
    module.enableCompileCache(fileURLToPath(new URL(COMPILE_CACHE, checkout)));
    return runHere(source, args);
  }
  return runNode(node, [fileURLToPath(import.meta.url), ...args]);
}

async function runPackage() {
  return runHere(new URL("../dist/cli/main.js", import.meta.url), process.argv.slice(2));
}

async function runHere(main, args) {
  hideSqliteWarning();
  const cli = await import(main.href);
  return cli.main(args);
}

/** Node calls its SQLite module experimental at each start; every other warning is shown. */
function hideSqliteWarning() {
  const listeners = process.listeners("warning");
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    if (warning.name === "ExperimentalWarning" && warning.message.includes("SQLite")) return;
    for (const listener of listeners) listener.call(process, warning);
  });
}
