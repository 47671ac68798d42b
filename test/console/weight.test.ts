import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { startService } from "../support/service.ts";
import { builtConsole } from "./_browser.ts";

/** Bytes of the first load, compressed. */
const WEIGHT_BYTES_MAX = 100_000;

/** The page, what it names, and what that imports before it runs. */
function firstLoad(files: ReadonlyMap<string, Uint8Array>): ReadonlySet<string> {
  const found = new Set(["index.html"]);
  for (const name of found) {
    const text = new TextDecoder().decode(files.get(name));
    const names = name.endsWith(".js")
      ? text.matchAll(/(?:^|[;\n])import(?:[^"'();]*from)?\s*["']\.\/([\w.-]+)["']/g)
      : text.matchAll(/(?:src|href)="\/console\/assets\/([\w.-]+)"/g);
    for (const [, file = ""] of names) found.add(`assets/${file}`);
  }
  return found;
}

test("the first load is light, complete, and without anything inline", async (t) => {
  const consoleFiles = await builtConsole(t);
  const first = firstLoad(consoleFiles);
  const weighed = (names: Iterable<string>) =>
    [...names].map((name) => [name, gzipSync(consoleFiles.get(name) ?? "").length] as const);
  const sum = (weights: readonly (readonly [string, number])[]) =>
    weights.reduce((total, [, bytes]) => total + bytes, 0);
  const weight = sum(weighed(first));
  assert.ok(weight > 10_000 && weight < WEIGHT_BYTES_MAX, `${weight} bytes`);
  const all = JSON.stringify(Object.fromEntries(weighed(consoleFiles.keys())));
  t.diagnostic(`${weight} bytes compressed at first; all: ${sum(weighed(consoleFiles.keys()))}`);
  t.diagnostic(all);
  assert.ok(consoleFiles.size > first.size, "some screens come later");
  const service = await startService(t, { consoleFiles });
  const headers = { "accept-encoding": "gzip" };
  const page = await (await fetch(`${service.endpoint}/console`, { headers })).text();
  assert.doesNotMatch(page, /<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/);
  const paths = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? "");
  assert.ok(paths.length >= 3, page);
  for (const path of paths) {
    assert.match(path, /^\/console\/assets\/[\w-]+-[\w-]{8}\.(?:js|css|svg)$/);
    assert.equal((await fetch(service.endpoint + path, { headers })).status, 200);
  }
});
