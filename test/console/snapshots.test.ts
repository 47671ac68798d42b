import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import type { Service } from "../../src/service.ts";
import { describeSnapshot } from "../support/operations.ts";
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
import { type History, writeHistory } from "./_history.ts";

const PHONE = { viewport: { width: 360, height: 740 } };

describe("the screen of all snapshots", { skip: SKIP }, () => {
  const suite = suiteCleanup();
  let service: Service;
  let browser: Browser;
  let history: History;
  before(async () => {
    service = await startService(suite, { consoleFiles: await builtConsole(suite) });
    history = await writeHistory(service);
    browser = await openBrowser(suite);
  });

  test("lists them with state, sizes, tags and verification, and finds some", async (t) => {
    const page = await openPage(t, { browser, service });
    await signIn(page, service);
    const row = (id: string) => page.getByRole("row").filter({ hasText: id });
    assert.match(
      await row(history.monday).innerText(),
      /Monday\s+completed\s+1 GiB\s+40 MiB\s+Environment=production\s*Host=db1\s+\d{4}-.*never/s,
    );
    assert.match(await row(history.encrypted).innerText(), /completed\s*encrypted/);
    assert.match(await row(history.pending).innerText(), /pending\s+64 GiB\s+–/);
    assert.match(await row(history.failed).innerText(), /error/);
    await assertAccessible(page);
    const rows = page.getByRole("row");
    await page.getByLabel("Search").fill("tuesday");
    assert.equal(await rows.count(), 2);
    await page.getByLabel("Search").fill("");
    await page.getByLabel("State").selectOption("pending");
    assert.match(await rows.nth(1).innerText(), /Under way/);
    await page.getByLabel("State").selectOption("");
    await page.getByLabel("Tag", { exact: true }).fill("Environment=test");
    assert.equal(await rows.count(), 2);
    await page.getByText("1 of 7 snapshots").waitFor();
    await page.getByLabel("Tag", { exact: true }).fill("Environment");
    assert.equal(await rows.count(), 5);
    await page.getByLabel("Tag", { exact: true }).fill("");
    await page.getByRole("button", { name: "Volume" }).click();
    await page.getByRole("button", { name: "Started" }).click();
    assert.equal(await page.locator("[aria-sort=descending]").innerText(), "Started");
  });

  test("shows which descends from which, also on a phone in the dark", async (t) => {
    const page = await openPage(t, { browser, service, ...PHONE, colorScheme: "dark" });
    await signIn(page, service);
    await page.getByRole("link", { name: history.branch }).waitFor();
    await assertFits(page);
    await assertAccessible(page);
    await page.getByLabel("Lineages").check();
    const lines = page.getByRole("listitem");
    assert.equal(await lines.count(), 7);
    const text = (await lines.allInnerTexts()).join("\n\n");
    const order = [history.monday, history.tuesday, history.wednesday, history.branch];
    const places = order.map((id) => text.search(new RegExp(`^${id}`, "m")));
    assert.ok(places.every((place, i) => place >= 0 && place > (places[i - 1] ?? -1)) || text);
    assert.match(text, new RegExp(`a branch from ${history.monday}`));
    assert.match(text, new RegExp(`23 MiB of its own, from ${history.monday}`));
    await assertFits(page);
    await assertAccessible(page);
  });

  test("verifies, tags and deletes many, each after a question", async (t) => {
    const page = await openPage(t, { browser, service });
    await signIn(page, service);
    const select = async (...ids: string[]) => {
      for (const id of ids) await page.getByLabel(`Select ${id}`).check();
    };
    const button = (name: string | RegExp) => page.getByRole("button", { name });
    await select(history.tuesday, history.wednesday);
    await button("Verify …").click();
    const dialog = page.getByRole("dialog");
    await assertAccessible(page);
    assert.match(await dialog.innerText(), new RegExp(`${history.tuesday} Tuesday`));
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await button("Verify …").click();
    await dialog.getByRole("button", { name: "Verify 2 snapshots" }).click();
    await page.getByText("2 of 2 snapshots verified").waitFor();
    await page.getByRole("row").filter({ hasText: "whole, 2" }).nth(1).waitFor();

    await select(history.failed, history.pending);
    await button("Tag …").click();
    await dialog.getByLabel("Key").fill("Keep");
    await dialog.getByLabel("Value").fill("no");
    await button("Tag 2 snapshots").click();
    await page.getByText("2 of 2 snapshots tagged").waitFor();
    await page.getByText("Keep=no").nth(1).waitFor();

    await page.getByLabel("Tag", { exact: true }).fill("Keep");
    await page.getByLabel("Select all shown").check();
    await button("Delete …").click();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    assert.equal((await describeSnapshot(service, history.failed))["status"], "error");
    await button("Delete …").click();
    await button("Delete 2 snapshots").click();
    await page.getByText("2 of 2 snapshots deleted").waitFor();
    await page.getByText("0 of 5 snapshots").waitFor();
  });
});
