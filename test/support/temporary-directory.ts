import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Takes what is to be done when a test ends: a test's context, or `{ after }` for a whole file. */
export interface Cleanup {
  after(work: () => unknown): void;
}

const ended: string[] = [];
process.once("exit", () => {
  for (const directory of ended) rmSync(directory, { recursive: true, force: true });
});

/**
 * An empty folder of the test's own, removed when the process of a test that ended does: what is
 * done when a test ends is done in the order in which it was asked for, and a service that is
 * closed after this still writes.
 */
export async function temporaryDirectory(t: Cleanup): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "varve-test-"));
  t.after(() => ended.push(directory));
  return directory;
}
