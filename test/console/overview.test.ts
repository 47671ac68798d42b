import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { newAccount, withNewKey } from "../support/keys.ts";
import { assertAccessible, assertFits, consoleSuite, PHONE, SKIP } from "./_browser.ts";

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
  const suite = consoleSuite();

  test("counts snapshots and compares what is protected with what is stored", async (t) => {
    const page = await suite.open(t);
    const told = await figures(page);
    assert.equal(told["Completed"], "11");
    assert.equal(told["Pending"], "1");
    assert.equal(told["In error"], "1");
    assert.match(told["Protected"] ?? "", /^612 MiB;/);
    assert.match(told["Written"] ?? "", /^117 MiB;/);
    assert.match(told["Found damaged"] ?? "", /^0; when last verified; 11 never were/);
    assert.match(told["Stored"] ?? "", /^\d[\d.]* KiB; in 1 segment, of 1 account/);
    assert.match(told["Protected to stored"] ?? "", /^[\d.]+ : 1;/);
    assert.match(told["Damaged records"] ?? "", /^0; none is known/);
    assert.match(told["All read again since"] ?? "", /^\d{4}-\d\d-\d\d \d\d:\d\d/);
    assert.match(told["Last collection"] ?? "", /^–/);
    await assertAccessible(page);
    await suite.service.core.collector.collect({ graceSeconds: 0, isDryRun: true });
    await page.getByRole("button", { name: "Reload" }).click();
    await page.locator(".figure", { hasText: /Last collection\s*\d{4}-/ }).waitFor();
  });

  test("keeps the store from those who do not manage it, on a phone in the dark", async (t) => {
    const as = await withNewKey(suite.service, { account: await newAccount(suite.service) });
    const page = await suite.open(t, { ...PHONE, colorScheme: "dark", as });
    const told = await figures(page);
    assert.equal(told["Completed"], "0");
    assert.equal(told["Stored"], undefined);
    await page.getByText("of the account that manages it").waitFor();
    await assertFits(page);
    await assertAccessible(page);
  });
});
