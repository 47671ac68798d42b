import { test } from "node:test";
import { jsSdkDriver } from "../support/js-sdk.ts";
import { startService } from "../support/service.ts";
import { runCycle } from "./cycle.ts";

test("The AWS SDK for JavaScript goes through the full cycle", async (t) => {
  const driver = jsSdkDriver(await startService(t));
  t.after(() => driver.destroy());
  await runCycle(t, driver);
});
