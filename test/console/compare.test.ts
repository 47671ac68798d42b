import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import { createClient, diffSnapshots } from "../../src/client/index.ts";
import type { Service } from "../../src/service.ts";
import { sdkOptions, startService } from "../support/service.ts";
import {
  assertAccessible,
  assertFits,
  builtConsole,
  openBrowser,
  openPage,
  SKIP,
  signIn,
  suiteCleanup,
} from "./_browser.ts";
import { type History, writeHistory } from "./_history.ts";

describe("the screen that compares two snapshots", { skip: SKIP }, () => {
  const suite = suiteCleanup();
  let service: Service;
  let browser: Browser;
  let history: History;
  before(async () => {
    service = await startService(suite, { consoleFiles: await builtConsole(suite) });
    history = await writeHistory(service);
    browser = await openBrowser(suite);
  });

  test("says what differs, shows where, and saves it as varve diff would", async (t) => {
    const page = await openPage(t, { browser, service });
    await signIn(page, service);
    await page.getByLabel(`Select ${history.branch}`).check();
    await page.getByLabel(`Select ${history.wednesday}`).check();
    await page.locator(".bulk").getByRole("link", { name: "Compare" }).click();
    const counts = "6 in both, 25 only in the first, 41 only in the second.";
    await page.getByRole("button", { name: "Swap" }).click();
    await page.getByText(`72 blocks differ (36 MiB): ${counts}`).waitFor();
    const [first, second] = [history.branch, history.wednesday];
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
    const client = createClient(sdkOptions(service));
    t.after(() => client.close());
    const diff = await diffSnapshots(client, pair);
    assert.deepEqual(saved, { ...pair, ...diff });
  });

  test("is used on a phone, and says so when two cannot be compared", async (t) => {
    const viewport = { width: 360, height: 740 };
    const page = await openPage(t, { browser, service, viewport, colorScheme: "dark" });
    await signIn(page, service);
    await page.getByRole("link", { name: "Compare" }).click();
    await page.getByText("Choose two completed snapshots").waitFor();
    await page.getByLabel("First").selectOption(history.monday);
    await page.getByLabel("Second").selectOption(history.encrypted);
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Second").selectOption(history.monday);
    await page.getByText("The snapshots have the same contents").waitFor();
    await page.getByLabel("Second").selectOption(history.tuesday);
    await page.getByText("46 blocks differ").waitFor();
    await assertFits(page);
    await assertAccessible(page);
  });
});
