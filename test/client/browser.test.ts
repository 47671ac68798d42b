import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as browser from "../../src/client/browser.ts";
import { ClientError, completeSnapshot, startSnapshot } from "../../src/client/browser.ts";
import { nodeHashing } from "../../src/client/call/node-crypto.ts";
import { webHashing } from "../../src/client/call/web-hashing.ts";
import { waitForSnapshot } from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { sdkOptions, startService } from "../support/service.ts";
import { clientFor } from "./_client.ts";

/** What a file imports when it runs; types are gone by then. */
function importsOf(source: string): string[] {
  const statements = source.matchAll(
    /^\s*(?:import|export)\s(?!type\b)([^;"']*?\sfrom\s+)?["']([^"']+)["']/gm,
  );
  const dynamic = [...source.matchAll(/\bimport\(\s*["']([^"']+)["']/g)].map(([, from]) => from);
  const whole = [...statements].flatMap(([, names, from]) => {
    const isTypesOnly =
      names !== undefined && /^\{(?:\s*type\s+[\w$]+(?:\s+as\s+[\w$]+)?,?)+\s*\}/.test(names);
    return isTypesOnly ? [] : [from];
  });
  return [...whole, ...dynamic].filter((from) => from !== undefined);
}

/** Every module that an entry brings with it: files of ours and of packages, and bare names. */
async function modulesOf(entry: URL): Promise<Set<string>> {
  const found = new Set<string>();
  const waiting = [entry.href];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    if (!next.startsWith("file:")) continue;
    for (const specifier of importsOf(await readFile(fileURLToPath(next), "utf8"))) {
      waiting.push(resolve(specifier, next));
    }
  }
  return found;
}

function resolve(specifier: string, from: string): string {
  if (specifier.startsWith(".")) return new URL(specifier, from).href;
  if (specifier.startsWith("node:") || createRequire(from).resolve.paths(specifier) === null) {
    return specifier;
  }
  return import.meta.resolve(specifier, from);
}

test("the entry for browsers brings no module of Node with it", async () => {
  const modules = await modulesOf(new URL("../../src/client/browser.ts", import.meta.url));
  assert.ok(modules.size > 20, `${modules.size} modules were followed`);
  assert.ok([...modules].some((name) => name.endsWith("/fetch-transport.ts")));
  assert.deepEqual(
    [...modules].filter((name) => !name.startsWith("file:")),
    [],
  );
  const whole = await modulesOf(new URL("../../src/client/index.ts", import.meta.url));
  assert.ok(whole.has("node:net"), "the walk finds modules of Node where there are some");
});

test("reads through fetch are verified and come back as they were written", async (t) => {
  const service = await startService(t);
  const client = browser.createClient(sdkOptions(service));
  t.after(() => client.close());
  const write = async (indexes: readonly number[], ParentSnapshotId?: string) => {
    const { SnapshotId } = await startSnapshot(client, { VolumeSize: 1, ParentSnapshotId });
    for (const index of indexes) {
      const BlockData = new Uint8Array(BLOCK_SIZE_BYTES).fill(indexes.length + index);
      await browser.putSnapshotBlock(client, index, SnapshotId, { BlockData });
    }
    await completeSnapshot(client, SnapshotId, { ChangedBlocksCount: indexes.length });
    await waitForSnapshot(clientFor(t, service), SnapshotId);
    return SnapshotId;
  };
  const first = await write([0, 7]);
  const second = await write([7, 8, 9], first);
  const read: [index: number, byte: number | undefined][] = [];
  for await (const { BlockIndex, BlockToken } of browser.blocksOf(client, second)) {
    const { BlockData } = await browser.getSnapshotBlock(client, BlockIndex, second, BlockToken);
    assert.equal(BlockData.length, BLOCK_SIZE_BYTES);
    read.push([BlockIndex, BlockData[77]]);
  }
  assert.deepEqual(read, [
    [0, 2],
    [7, 10],
    [8, 11],
    [9, 12],
  ]);
  const pair = { firstSnapshotId: first, secondSnapshotId: second };
  const { extents } = await browser.diffSnapshots(client, pair);
  assert.deepEqual(extents, [{ start: 7, count: 3 }]);
  const { Snapshots } = await browser.describeSnapshots(client);
  assert.equal(Snapshots.length, 2);
  await assert.rejects(browser.listSnapshotBlocks(client, "snap-0123456789abcdef0"), (error) => {
    assert.ok(error instanceof ClientError);
    assert.equal(error.Reason, "SNAPSHOT_NOT_FOUND");
    return true;
  });
});

test("through fetch, a service that is not there is told, and an abort ends a call", async () => {
  const credentials = { accessKeyId: "A", secretAccessKey: "S" };
  const client = browser.createClient({
    endpoint: "http://127.0.0.1:1",
    credentials,
    attemptsMax: 1,
  });
  const isUnreachable = (error: unknown) =>
    error instanceof ClientError && error.kind === "connection";
  await assert.rejects(browser.listSnapshotBlocks(client, "snap-0"), isUnreachable);
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(browser.listSnapshotBlocks(client, "snap-0", {}, { signal }), /enough/);
});

test("hashing in browsers gives what Node's does, with and without WebCrypto", async (t) => {
  const bytes = new Uint8Array(BLOCK_SIZE_BYTES).map((_, i) => i * 7);
  const expected = nodeHashing.checksum(bytes);
  assert.equal(await webHashing.checksum(bytes), expected);
  t.mock.getter(globalThis, "crypto", () => undefined);
  assert.equal(await webHashing.checksum(bytes), expected);
  const [ours, nodes] = [webHashing.signing, nodeHashing.signing];
  assert.equal(ours.sha256Hex("é"), nodes.sha256Hex("é"));
  assert.equal(
    ours.hmacHex(ours.hmac("key", "a"), "b"),
    nodes.hmacHex(nodes.hmac("key", "a"), "b"),
  );
});
