import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns, SEED } from "../support/property.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type Driver, openCoreDriver, openHttpDriver } from "./_drivers.ts";
import { History, histories, type Step } from "./_history.ts";

test("the core agrees with a naive model at every step of any history", async (t) => {
  const property = fc.asyncProperty(histories, (steps) => run(openCoreDriver, steps));
  await fc.assert(property, { ...propertyRuns(t, 40), interruptAfterTimeLimit: 600_000 });
});

test("the service agrees with a naive model at every step of any history over HTTP", async (t) => {
  const property = fc.asyncProperty(histories, (steps) => run(openHttpDriver, steps));
  await fc.assert(property, { ...propertyRuns(t, 4), interruptAfterTimeLimit: 600_000 });
});

/** Runs one history on a store of its own. */
async function run(
  openDriver: (directory: string) => Promise<Driver>,
  steps: readonly Step[],
): Promise<void> {
  const clean: (() => unknown)[] = [];
  const after = (work: () => unknown) => void clean.push(work);
  const directory = await temporaryDirectory({ after } as Parameters<typeof temporaryDirectory>[0]);
  const driver = await openDriver(directory);
  try {
    await new History(driver, SEED).run(steps);
  } finally {
    await driver.close();
    for (const work of clean) await work();
  }
}
