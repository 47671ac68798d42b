import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { blockContents } from "../support/property.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { BareClient } from "./_client.ts";
import { spawnServer } from "./process.ts";

/** One finished system call of the trace, or the beginning of one. */
interface Call {
  readonly name: string;
  /** What stands between the parentheses, as far as strace showed it. */
  readonly text: string;
  readonly succeeded: boolean;
}

/** What happened since a request arrived on a connection. */
interface Open {
  readonly isPut: boolean;
  readonly mayBeKnown: boolean;
  readonly synced: Set<"segment" | "log">;
}

const TRACE = ["-f", "-y", "-s", "80", "-e", "trace=read,write,writev,fdatasync,fsync"];
/** Block indexes from here on carry contents that are stored already, or zeros. */
const KNOWN_FROM = 1_000;

test("openService answers 201 only after it has synced segment and catalog log", async (t) => {
  const probe = spawnSync("strace", ["-f", "-e", "trace=none", "true"]);
  if (probe.status !== 0) return t.skip("needs strace, and the right to trace");
  const directory = await temporaryDirectory(t);
  const trace = join(await temporaryDirectory(t), "trace");
  const server = spawnServer(join(directory, "data"), ["strace", ...TRACE, "-o", trace]);
  t.after(() => server.kill());
  const client = new BareClient(await server.greeting);
  t.after(() => client.destroy());
  const snapshotId = await client.start("sync-order", undefined);
  for (let i = 1; i <= 8; i++) await client.put(snapshotId, i, blockContents(i));
  const concurrent = Array.from({ length: 24 }, (_, i) =>
    client.put(snapshotId, 100 + i, blockContents(100 + i)),
  );
  await Promise.all(concurrent);
  await client.put(snapshotId, KNOWN_FROM, blockContents(1));
  await client.put(snapshotId, KNOWN_FROM + 1, blockContents(0));
  // strace ends by itself, with its file whole, when the traced process does.
  await server.kill();
  const counts = checkOrder(parse(await readFile(trace, "utf8")));
  assert.deepEqual(counts, { starts: 1, puts: 32, known: 2 });
});

/** Walks through the trace; throws at the first answer that came too early. */
function checkOrder(calls: readonly Call[]) {
  const open = new Map<string, Open>();
  const counts = { starts: 0, puts: 0, known: 0 };
  for (const { name, text, succeeded } of calls) {
    const socket = /^\d+<(?:TCP|socket)[^>]*>/.exec(text)?.[0];
    const request = /"(PUT|POST) \/snapshots(?:\/[\w-]+\/blocks\/(\d+))?/.exec(text);
    if (socket && name === "read" && request) {
      const mayBeKnown = Number(request[2]) >= KNOWN_FROM;
      open.set(socket, { isPut: request[1] === "PUT", mayBeKnown, synced: new Set() });
    } else if (/^f(?:data)?sync$/.test(name) && succeeded) {
      const file = /\.segment>/.test(text) ? "segment" : "log";
      if (file === "segment" || /catalog\.sqlite-wal>/.test(text)) {
        // A segment synced after the log would be too late: the log refers to it.
        for (const { synced } of open.values()) {
          if (file === "segment") synced.delete("log");
          synced.add(file);
        }
      }
    } else if (socket && /^writev?$/.test(name) && text.includes("HTTP/1.1 201")) {
      const answered = open.get(socket);
      assert.ok(answered, "an answer follows a request");
      open.delete(socket);
      assert.ok(answered.synced.has("log"), `the catalog log was not synced before ${text}`);
      const needsSegment = answered.isPut && !answered.mayBeKnown;
      if (needsSegment) assert.ok(answered.synced.has("segment"), `no synced segment: ${text}`);
      if (!answered.isPut) counts.starts += 1;
      else if (answered.mayBeKnown) counts.known += 1;
      else counts.puts += 1;
    }
  }
  return counts;
}

/** The calls in order: reads and syncs as they end, writes as they begin. */
function parse(trace: string): Call[] {
  const begun = new Map<string, { name: string; text: string }>();
  const calls: Call[] = [];
  for (const line of trace.split("\n")) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. (\w+) resumed>(.*)$/.exec(rest);
    const call = /^(\w+)\((.*)$/.exec(rest);
    if (resumed) {
      const { name = "", text = "" } = begun.get(thread) ?? {};
      begun.delete(thread);
      if (!/^write/.test(name)) {
        calls.push({ name, text: text + resumed[2], succeeded: /= \d+$/.test(rest) });
      }
    } else if (call) {
      const [, name = "", text = ""] = call;
      const isUnfinished = rest.endsWith("<unfinished ...>");
      if (isUnfinished) begun.set(thread, { name, text });
      if (isUnfinished && !/^write/.test(name)) continue;
      calls.push({ name, text, succeeded: /= \d+$/.test(rest) });
    }
  }
  return calls;
}
