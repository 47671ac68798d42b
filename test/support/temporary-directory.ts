import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Takes what is to be done when a test ends: a test's context, or `{ after }` for a whole file. */
export interface Cleanup {
  after(work: () => unknown): void;
}

/** An empty folder of the test's own, removed when the test ends. */
export async function temporaryDirectory(t: Cleanup): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "varve-test-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
