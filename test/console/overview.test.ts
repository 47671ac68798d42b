import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import type { Service } from "../../src/service.ts";
import { newAccount, withNewKey } from "../support/keys.ts";
import { startService } from "../support/service.ts";
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
import { writeHistory } from "./_history.ts";

async function figures(page: Page): Promise<Record<string, string>> {
  await page.getByRole("link", { name: "Overview" }).click();
  await page.locator(".figure").first().waitFor();
  const texts = await page.locator(".figure").allInnerTexts();
  return Object.fromEntries(
    texts.map((text) => {
      const [name = "", ...rest] = text.split(/\n+/);
      return [name, rest.join("; ")];
    }),
  );
}

describe("the overview", { skip: SKIP }, () => {
  const suite = suiteCleanup();
  let service: Service;
  let browser: Browser;
  before(async () => {
    service = await startService(suite, { consoleFiles: await builtConsole(suite) });
    await writeHistory(service);
    browser = await openBrowser(suite);
  });

  test("counts snapshots and compares what is protected with what is stored", async (t) => {
    const page = await openPage(t, { browser, service });
    await signIn(page, service);
    const told = await figures(page);
    assert.equal(told["Completed"], "5");
    assert.equal(told["Pending"], "1");
    assert.equal(told["In error"], "1");
    assert.match(told["Protected"] ?? "", /^218 MiB;/);
    assert.match(told["Written"] ?? "", /^86.5 MiB;/);
    assert.match(told["Found damaged"] ?? "", /^0; when last verified; 5 never were/);
    assert.match(told["Stored"] ?? "", /^\d[\d.]* KiB; in 1 segment, of 1 account/);
    assert.match(told["Protected to stored"] ?? "", /^[\d.]+ : 1;/);
    assert.match(told["Damaged records"] ?? "", /^0; none is known/);
    assert.match(told["All read again since"] ?? "", /^\d{4}-\d\d-\d\d \d\d:\d\d/);
    assert.match(told["Last collection"] ?? "", /^–/);
    await assertAccessible(page);
    await service.core.collector.collect({ graceSeconds: 0, isDryRun: true });
    await page.getByRole("button", { name: "Reload" }).click();
    await page.locator(".figure", { hasText: /Last collection\s*\d{4}-/ }).waitFor();
  });

  test("keeps the store from those who do not manage it, on a phone in the dark", async (t) => {
    const viewport = { width: 360, height: 740 };
    const page = await openPage(t, { browser, service, viewport, colorScheme: "dark" });
    const other = await withNewKey(service, { account: await newAccount(service) });
    await signIn(page, other);
    const told = await figures(page);
    assert.equal(told["Completed"], "0");
    assert.equal(told["Stored"], undefined);
    await page.getByText("of the account that manages it").waitFor();
    await assertFits(page);
    await assertAccessible(page);
  });
});
