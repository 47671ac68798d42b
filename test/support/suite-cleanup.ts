import { after } from "node:test";
import type { Cleanup } from "./temporary-directory.ts";

/** Takes what a suite's `before` wants undone, and undoes it, the last first, after the suite. */
export function suiteCleanup(): Cleanup {
  const works: (() => unknown)[] = [];
  after(async () => {
    for (const work of works.reverse()) await work();
  });
  return { after: (work: () => unknown) => works.push(work) };
}
