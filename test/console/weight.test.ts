import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { startService } from "../support/service.ts";
import { builtConsole } from "./_browser.ts";

/** Bytes of the first load, compressed. */
const WEIGHT_BYTES_MAX = 100_000;

test("the first load is light, complete, and without anything inline", async (t) => {
  const consoleFiles = await builtConsole(t);
  const weights = [...consoleFiles].map(([name, bytes]) => [name, gzipSync(bytes).length] as const);
  const weight = weights.reduce((sum, [, bytes]) => sum + bytes, 0);
  assert.ok(weight > 10_000 && weight < WEIGHT_BYTES_MAX, `${weight} bytes`);
  t.diagnostic(`${weight} bytes compressed: ${JSON.stringify(Object.fromEntries(weights))}`);
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
