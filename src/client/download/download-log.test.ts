import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { systemClock } from "../../base/clock.ts";
import { TransferLog } from "../transfer/transfer-log.ts";
import { DownloadLog } from "./_download-log.ts";

const SUBJECT = { transfer: "download" };

async function logPath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "varve-log-"));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, "log");
}

/** Does something with a log that is opened and closed, as in a run of its own. */
async function inRun<T>(path: string, work: (log: DownloadLog) => T): Promise<T> {
  const log = await DownloadLog.open(systemClock, { path, subject: SUBJECT });
  try {
    return await work(log);
  } finally {
    await log.close();
  }
}

/** Every other block index, as many as that. */
function scattered(count: number) {
  return Array.from({ length: count }, (_, i) => ({ start: i * 2, count: 1 }));
}

test("what could not be read is told by the next run, however much it is", async (t) => {
  const path = await logPath(t);
  assert.equal(await inRun(path, ({ whole }) => whole), undefined);
  // More than a line may have; then fewer, as of runs that came after one that died at its end.
  for (const count of [150_000, 10_000, 3, 0]) {
    const whole = { imageBytes: 12_345 + count, badExtents: scattered(count) };
    await inRun(path, (log) => log.noteWhole(whole));
    const found = await inRun(path, (log) => log.whole);
    assert.equal(found?.badExtents.length, count);
    assert.ok(isDeepStrictEqual(found, whole), `${count} extents`);
  }
  await inRun(path, (log) => log.noteWhole({ imageBytes: 1, badExtents: scattered(2) }));
  await inRun(path, (log) => log.restart());
  assert.equal(await inRun(path, ({ whole }) => whole), undefined);
});

test("a log of a version that noted no extents is read", async (t) => {
  const path = await logPath(t);
  const log = await TransferLog.open({ path, subject: SUBJECT, onEntry: () => undefined });
  for (const entry of [{ target: "file 1:2" }, { imageBytes: 12_345 }]) await log.append(entry);
  await log.close();
  assert.deepEqual(await inRun(path, ({ target, whole }) => ({ target, whole })), {
    target: "file 1:2",
    whole: { imageBytes: 12_345, badExtents: [] },
  });
});
