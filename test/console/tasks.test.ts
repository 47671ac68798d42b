import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { complete, put, start } from "../support/operations.ts";
import { assertAccessible, assertFits, consoleSuite, PHONE, SKIP } from "./_browser.ts";
import { blockOf } from "./_history.ts";

describe("the screen of tasks", { skip: SKIP }, () => {
  const suite = consoleSuite({ clock: systemClock });

  test("shows how far a pending snapshot is, live, and what became of it", async (t) => {
    const { service } = suite;
    const page = await suite.open(t);
    await page.getByRole("link", { name: "Tasks" }).click();
    const row = (id: string) => page.getByRole("row").filter({ hasText: id });
    await row(suite.history.pending).getByText("1 block written (512 KiB)").waitFor();
    const id = await start(service, { VolumeSize: 2, Description: "Nightly" });
    await row(id).getByText("0 blocks written").waitFor();
    await put(service, id, new Map([0, 1, 2].map((index) => [index, blockOf(index, 20)])));
    await row(id).getByText("3 blocks written (1.5 MiB)").waitFor();
    assert.match(await row(id).innerText(), /Upload.*Nightly, 2 GiB/s);
    await assertAccessible(page);
    assert.equal(await complete(service, id, 3), "completed");
    await page.getByRole("log").getByText(`${id}: completed`).waitFor();
    assert.equal(await row(id).count(), 0);
  });

  test("begins a collection and a scrub, and says how they ended", async (t) => {
    const page = await suite.open(t, { ...PHONE, colorScheme: "dark" });
    await page.getByRole("link", { name: "Tasks" }).click();
    await page.getByRole("button", { name: "Collect …" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Only say what it would do").check();
    await assertAccessible(page);
    await dialog.getByRole("button", { name: "Collect" }).click();
    await page.getByRole("listitem").getByText("would be removed").waitFor();
    await page.getByRole("button", { name: "Scrub" }).click();
    const scrubbed = page.getByRole("listitem").getByText(/\d+ records read .* 0 damaged/);
    await scrubbed.waitFor();
    const seen = await page.getByRole("log").innerText();
    assert.match(seen, /Scrub: \d+ records read[\s\S]*Scrub: begun[\s\S]*Collect, to see/);
    await page.getByText("Last collection").waitFor();
    await assertFits(page);
    await assertAccessible(page);
  });

  test("goes on with a verification while one looks at other screens", async (t) => {
    const { tuesday } = suite.history;
    const page = await suite.open(t);
    await page.getByRole("link", { name: tuesday, exact: true }).click();
    await page.getByRole("button", { name: "Verify", exact: true }).click();
    await page.getByRole("link", { name: "Tasks" }).click();
    await page.getByRole("listitem").getByText("whole: 120 blocks verified").waitFor();
    await page.getByRole("log").getByText(`Verify ${tuesday}: whole`).waitFor();
  });

  test("stops what is stopped, and asks for nothing while the tab is not seen", async (t) => {
    const page = await suite.open(t);
    await page.route("**/varve/scrub", async (route) => {
      const body = {
        ...{ RecordsVerified: 1, BytesVerified: 10, DamagedRecords: [], LockedRecordCount: 0 },
        ...{ CatalogFaults: [], BytesTotal: 1_000, BytesDone: 10 },
        NextToken: `1.${Math.floor(performance.now())}`,
      };
      await new Promise((resolve) => setTimeout(resolve, 50));
      await route.fulfill({ json: body }).catch(() => undefined);
    });
    await page.getByRole("link", { name: "Tasks" }).click();
    await page.getByRole("button", { name: "Scrub" }).click();
    await page.getByText("10 B of 1000 B").waitFor();
    await page.getByRole("button", { name: "Stop Scrub" }).click();
    await page.getByRole("log").getByText("Scrub: stopped").waitFor();
    await page.unroute("**/varve/scrub");

    let asked = 0;
    page.on("request", (request) => {
      if (request.url().endsWith("/varve/status")) asked += 1;
    });
    await page.waitForRequest("**/varve/status");
    await setHidden(page, true);
    // One look may be under way; after it there is none.
    await page.waitForTimeout(2_500);
    const before = asked;
    await page.waitForTimeout(5_000);
    assert.equal(asked, before, "nothing is asked for while the tab is hidden");
    await setHidden(page, false);
    await page.waitForRequest("**/varve/status");
  });
});

async function setHidden(page: { evaluate(text: string): Promise<unknown> }, isHidden: boolean) {
  await page.evaluate(`
    Object.defineProperty(document, "hidden", { configurable: true, get: () => ${isHidden} });
    document.dispatchEvent(new Event("visibilitychange"));
  `);
}
