import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { systemClock } from "../../src/base/clock.ts";
import { formatBytes } from "../../src/console/format.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import type { StoreStatus } from "../../src/wire/admin/status.ts";
import { admin, newAccount, withNewKey } from "../support/keys.ts";
import { startService } from "../support/service.ts";
import { waitUntil } from "../support/wait-until.ts";
import {
  assertAccessible,
  assertFits,
  builtConsole,
  consoleSuite,
  openPage,
  PHONE,
  SKIP,
  signIn,
} from "./_browser.ts";
import { clockOfHistory, HISTORY_DAYS, writeHistory } from "./_history.ts";

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

function round(factor: number | null): number {
  return Number((factor ?? 0).toFixed(1));
}

describe("the overview", { skip: SKIP }, () => {
  const suite = consoleSuite({ clock: systemClock });

  test("counts snapshots and compares what is protected with what is stored", async (t) => {
    const page = await suite.open(t);
    // The sums are kept for some seconds on either side: in the end, both tell the same ones.
    const { Sizes, told } = await waitUntil(
      async () => {
        const { json } = await admin(suite.service, ["GET", "/status"]);
        const { Sizes } = json as unknown as StoreStatus;
        return { Sizes, told: await figures(page) };
      },
      ({ Sizes, told }) =>
        Sizes.DedupFactor !== null &&
        told["Stored bytes"]?.startsWith(`${formatBytes(Sizes.StoredBytes)};`) === true &&
        parseFloat(told["Deduplication"] ?? "") === round(Sizes.DedupFactor),
    );
    assert.equal(told["Completed"], "11");
    assert.equal(told["Pending"], "1");
    assert.equal(told["In error"], "1");
    assert.match(told["Protected"] ?? "", /^612 MiB;/);
    assert.match(told["Written"] ?? "", /^117 MiB;/);
    assert.match(told["Found damaged"] ?? "", /^0; when last verified; 11 never were/);
    assert.equal(Sizes.ProtectedBytes, 1_223 * BLOCK_SIZE_BYTES);
    assert.match(told["Protected bytes"] ?? "", /^612 MiB; 11 completed snapshots/);
    assert.match(told["Stored bytes"] ?? "", new RegExp(`^${formatBytes(Sizes.StoredBytes)};`));
    assert.equal(parseFloat(told["Deduplication"] ?? ""), round(Sizes.DedupFactor));
    assert.match(told["Compression"] ?? "", /^[\d,]+ ×; plain bytes/);
    assert.match(
      told["Snapshots under way"] ?? "",
      /^1; 1 snapshot in error, 0 in the recycle bin/,
    );
    assert.match(told["Free"] ?? "", /^[\d.]+ [GT]iB;/);
    assert.match(told["Damaged records"] ?? "", /^0; none is known/);
    assert.match(told["All read again since"] ?? "", /^\d{4}-\d\d-\d\d \d\d:\d\d/);
    assert.match(told["Tasks"] ?? "", /^1; 1 upload; all tasks/);
    assert.match(told["Engines"] ?? "", /catalog works.*disk works/);
    await assertAccessible(page);
  });

  test("draws how the store has grown and what it does, and looks again by itself", async (t) => {
    const { core } = suite.service;
    const timeMs = core.clock.nowMs() - 20 * 86_400_000;
    const measure = { timeMs, protectedBytes: 1e6, storedBytes: 1e5, snapshotCount: 1 };
    const kept = { fullFromMs: 0, keptFromMs: 0 };
    await core.catalog.statistics.keepMeasure({ ...measure, freeBytes: undefined }, kept);
    const page = await suite.open(t);
    await figures(page);
    for (const name of ["Stored over time", "Protected over time", "Throughput", "Latency"]) {
      const chart = page.getByRole("figure", { name });
      await chart.locator("canvas").waitFor();
      assert.match(await chart.innerText(), / [KM]iB| B\/s|ms|–/);
    }
    await assertAccessible(page);
    await core.collector.collect({ graceSeconds: 0, isDryRun: true });
    // Without anybody asking for it.
    await page.locator(".figure", { hasText: /Last collection\s*\d{4}-/ }).waitFor();
  });

  test("finds the volumes whose last snapshot is too old", async (t) => {
    const clock = clockOfHistory();
    const consoleFiles = await builtConsole(t);
    const service = await startService(t, { consoleFiles, clock });
    const { sunday, encrypted } = await writeHistory({ ...service, clock });
    clock.advance(HISTORY_DAYS * 86_400_000);
    const page = await openPage(t, { browser: suite.browser, service });
    await signIn(page, service);
    await page.getByRole("link", { name: "Overview" }).click();
    const rows = page.locator("section table tbody tr");
    await rows.nth(1).waitFor();
    const texts = await rows.allInnerTexts();
    assert.equal(texts.length, 2);
    assert.match(texts.join(), new RegExp(`${sunday}.*9 days\\s+10\\b`, "s"));
    assert.match(texts.join(), new RegExp(`${encrypted}.*9 days\\s+1\\b`, "s"));
    await page.getByLabel("Older than").selectOption("a month");
    await page.getByText("All of 2 volumes have one").waitFor();
    await page.getByLabel("Older than").selectOption("a week");
    await page.getByRole("link", { name: sunday }).click();
    await page.getByRole("heading", { name: sunday }).waitFor();
  });

  test("keeps the store from those who do not manage it, on a phone in the dark", async (t) => {
    const as = await withNewKey(suite.service, { account: await newAccount(suite.service) });
    const page = await suite.open(t, { ...PHONE, colorScheme: "dark", as });
    const told = await figures(page);
    assert.equal(told["Completed"], "0");
    assert.equal(told["Stored bytes"], undefined);
    await page.getByText("of the account that manages it").waitFor();
    await assertFits(page);
    await assertAccessible(page);
  });
});
