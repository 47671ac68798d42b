import assert from "node:assert/strict";
import fs from "node:fs";
import { cp, readdir, readFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startService } from "../test/support/service.ts";
import { temporaryDirectory } from "../test/support/temporary-directory.ts";
import { rebuildStore } from "./rebuild-store.ts";

test("a catalog of which the system tells nothing is replaced only when told to", async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const service = await startService(t, { dataDirectory, collectMinutes: 0 });
  await service.core.journaler.flush();
  await service.close();
  const other = join(await temporaryDirectory(t), "other");
  await cp(dataDirectory, other, { recursive: true });
  const names = await readdir(dataDirectory);
  const catalog = await readFile(join(dataDirectory, "catalog.sqlite"));
  refuseToOpen(t, "catalog.sqlite-wal");
  await assert.rejects(rebuildStore({ dataDirectory }), (error: Error) => {
    assert.equal((error.cause as NodeJS.ErrnoException).code, "EACCES");
    return /permission denied.* It may be whole, and stays\. .*--force/.test(error.message);
  });
  assert.ok((await readFile(join(dataDirectory, "catalog.sqlite"))).equals(catalog));
  const added = (await readdir(dataDirectory)).filter((name) => !names.includes(name));
  assert.deepEqual(added, ["catalog.sqlite-wal"], "nothing is kept, for nothing was replaced");
  const { outcome, kept } = await rebuildStore({ dataDirectory: other, force: true });
  assert.deepEqual([outcome, kept !== undefined], ["replaced", true]);
});

/** Has the system refuse to open files whose paths end so, until the test ends. */
function refuseToOpen(t: TestContext, end: string): void {
  const { openSync } = fs;
  const mock = t.mock.method(fs, "openSync", (path: string, ...given: [string, number]) => {
    if (!path.endsWith(end)) return openSync(path, ...given);
    const facts = { code: "EACCES", errno: -13, syscall: "open", path };
    throw Object.assign(new Error(`EACCES: permission denied, open '${path}'`), facts);
  });
  syncBuiltinESMExports();
  t.after(() => {
    mock.mock.restore();
    syncBuiltinESMExports();
  });
}
