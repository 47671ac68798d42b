import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { createClient, diffSnapshots } from "../../src/client/index.ts";
import { sdkOptions } from "../support/service.ts";
import { assertAccessible, assertFits, consoleSuite, PHONE, SKIP } from "./_browser.ts";

describe("the screen that compares two snapshots", { skip: SKIP }, () => {
  const suite = consoleSuite();

  test("says what differs, shows where, and saves it as varve diff would", async (t) => {
    const page = await suite.open(t);
    await page.getByLabel(`Select ${suite.history.branch}`).check();
    await page.getByLabel(`Select ${suite.history.wednesday}`).check();
    await page.locator(".bulk").getByRole("link", { name: "Compare" }).click();
    const counts = "6 in both, 25 only in the first, 41 only in the second.";
    await page.getByRole("button", { name: "Swap" }).click();
    await page.getByText(`72 blocks differ (36 MiB): ${counts}`).waitFor();
    const [first, second] = [suite.history.branch, suite.history.wednesday];
    assert.equal(await page.getByLabel("First").inputValue(), first);
    const rows = page.locator(".extents tbody tr");
    const texts = (await rows.allInnerTexts()).map((text) => text.split(/\s*\t\s*/));
    assert.deepEqual(texts, [
      ["8", "6", "4 MiB", "3 MiB"],
      ["300", "40", "150 MiB", "20 MiB"],
      ["1,000", "25", "500 MiB", "12.5 MiB"],
      ["1,900", "1", "950 MiB", "512 KiB"],
    ]);
    const map = page.getByRole("slider", { name: "Blocks that differ" });
    await map.focus();
    await page.getByLabel("Block index").fill("310");
    await page.getByRole("button", { name: "Go" }).click();
    assert.equal(await map.getAttribute("aria-valuetext"), "block 310, only in the second");
    await page.getByText("A hole: never written").waitFor();
    assert.match(await page.getByLabel("Bytes of the block").innerText(), /block 310 of 3/);
    await assertAccessible(page);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Export as JSON" }).click(),
    ]);
    const saved = JSON.parse(await readFile(await download.path(), "utf8"));
    const pair = { firstSnapshotId: first, secondSnapshotId: second };
    const client = createClient(sdkOptions(suite.service));
    t.after(() => client.close());
    const diff = await diffSnapshots(client, pair);
    assert.deepEqual(saved, { ...pair, ...diff });
  });

  test("is used on a phone, and says so when two cannot be compared", async (t) => {
    const page = await suite.open(t, { ...PHONE, colorScheme: "dark" });
    await page.getByRole("link", { name: "Compare" }).click();
    await page.getByText("Choose two completed snapshots").waitFor();
    await page.getByLabel("First").selectOption(suite.history.monday);
    await page.getByLabel("Second").selectOption(suite.history.encrypted);
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Second").selectOption(suite.history.monday);
    await page.getByText("The snapshots have the same contents").waitFor();
    await page.getByLabel("Second").selectOption(suite.history.tuesday);
    await page.getByText("46 blocks differ").waitFor();
    await assertFits(page);
    await assertAccessible(page);
  });
});
