import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns } from "../support/property.ts";
import { openCoreDriver, openHttpDriver } from "./drivers.ts";
import { histories, runHistory } from "./history.ts";

test("the core agrees with a naive model at every step of any history", async (t) => {
  const property = fc.asyncProperty(histories, (steps) => runHistory(openCoreDriver, steps));
  await fc.assert(property, { ...propertyRuns(t, 40), interruptAfterTimeLimit: 600_000 });
});

test("the service agrees with a naive model at every step of any history over HTTP", async (t) => {
  const property = fc.asyncProperty(histories, (steps) => runHistory(openHttpDriver, steps));
  await fc.assert(property, { ...propertyRuns(t, 4), interruptAfterTimeLimit: 600_000 });
});
