import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** An empty folder of the test's own, removed when the test ends. */
export async function temporaryDirectory(t: Pick<TestContext, "after">): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "varve-test-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
