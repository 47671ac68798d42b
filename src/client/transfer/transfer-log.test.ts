import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import {
  appendFile,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FileError } from "../errors.ts";
import { type LogEntry, TransferLog } from "./transfer-log.ts";

async function logPath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "varve-log-"));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, "state", "log");
}

/** Opens a log; answers it and what it said. */
async function openLog(path: string, subject: LogEntry = { from: "a" }, restart = false) {
  const entries: LogEntry[] = [];
  const onEntry = (entry: LogEntry) => entries.push(entry);
  return { log: await TransferLog.open({ path, subject, restart, onEntry }), entries };
}

async function entriesIn(path: string): Promise<LogEntry[]> {
  const { log, entries } = await openLog(path);
  await log.close();
  assert.equal(log.entryCount, entries.length);
  return entries;
}

test("a log says after the process what was appended before", async (t) => {
  const path = await logPath(t);
  const { log } = await openLog(path);
  const all = Array.from({ length: 5_000 }, (_, block) => ({ block, text: "ä\n" }));
  await Promise.all(all.map((entry) => log.append(entry)));
  await log.sync();
  await log.close();
  assert.deepEqual(await entriesIn(path), all);
});

test("a torn end is cut off wherever it was torn, and the log goes on", async (t) => {
  const path = await logPath(t);
  const { log } = await openLog(path);
  for (const block of [1, 2, 3]) await log.append({ block });
  await log.close();
  const whole = await readFile(path);
  const lines = whole.toString().split("\n");
  const lastLength = (lines.at(-2) ?? "").length + 1;
  for (let cut = 1; cut < lastLength; cut++) {
    await writeFile(path, whole);
    await truncate(path, whole.length - cut);
    assert.deepEqual(await entriesIn(path), [{ block: 1 }, { block: 2 }], `${cut} bytes`);
    const { log: again } = await openLog(path);
    await again.append({ block: 9 });
    await again.close();
    assert.deepEqual(await entriesIn(path), [{ block: 1 }, { block: 2 }, { block: 9 }]);
  }
});

test("after a flipped bit or foreign bytes nothing is believed", async (t) => {
  const path = await logPath(t);
  const { log } = await openLog(path);
  for (const block of [1, 2, 3]) await log.append({ block });
  await log.close();
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace('"block":2', '"block":4'));
  assert.deepEqual(await entriesIn(path), [{ block: 1 }]);
  await appendFile(path, Buffer.alloc(3_000_000));
  assert.deepEqual(await entriesIn(path), [{ block: 1 }]);
  await truncate(path, 5);
  assert.deepEqual(await entriesIn(path), []);
});

test("a log of another transfer is refused and left as it is, unless restarted", async (t) => {
  const path = await logPath(t);
  const { log } = await openLog(path);
  await log.append({ block: 1 });
  await log.close();
  await assert.rejects(openLog(path, { from: "b" }), (error) => {
    assert.ok(error instanceof FileError);
    assert.equal(error.code, "TRANSFER_DIFFERS");
    assert.match(error.message, /its from is "a", not "b"/);
    return true;
  });
  assert.deepEqual(await entriesIn(path), [{ block: 1 }]);
  const { log: other } = await openLog(path, { from: "b" }, true);
  assert.equal(other.entryCount, 0);
  await other.close();
  await assert.rejects(openLog(path), { code: "TRANSFER_DIFFERS" });
});

test("one at a time has a log; a removed one begins anew", async (t) => {
  const path = await logPath(t);
  const { log } = await openLog(path);
  await assert.rejects(openLog(path), { code: "TRANSFER_RUNNING" });
  await log.append({ block: 1 });
  await log.close();
  const { log: next, entries } = await openLog(path);
  assert.deepEqual(entries, [{ block: 1 }]);
  await next.remove();
  await assert.rejects(readFile(path), { code: "ENOENT" });
  assert.deepEqual(await entriesIn(path), []);
});

test("without Perl flock asks for the lock, and without either nobody does", async (t) => {
  const path = await logPath(t);
  const folder = `${path}-tools`;
  await mkdir(folder, { recursive: true });
  const before = process.env["PATH"];
  t.after(() => {
    process.env["PATH"] = before;
  });
  process.env["PATH"] = folder;
  const unlocked = [await openLog(path), await openLog(path)];
  for (const { log } of unlocked) await log.close();
  await symlink("/usr/bin/flock", join(folder, "flock"));
  if (!existsSync(join(folder, "flock"))) return t.skip("there is no flock");
  const { log } = await openLog(path);
  await assert.rejects(openLog(path), { code: "TRANSFER_RUNNING" });
  await log.close();
});
