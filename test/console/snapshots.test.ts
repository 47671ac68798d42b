import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describeSnapshot } from "../support/operations.ts";
import { assertAccessible, assertFits, consoleSuite, PHONE, SKIP } from "./_browser.ts";

describe("the screen of all snapshots", { skip: SKIP }, () => {
  const suite = consoleSuite();

  test("lists them with state, sizes, tags and verification, and finds some", async (t) => {
    const page = await suite.open(t);
    const row = (id: string) => page.getByRole("row").filter({ hasText: id });
    assert.match(
      await row(suite.history.monday).innerText(),
      new RegExp(
        "Monday\\s+completed\\s+1 GiB\\s+40 MiB\\s+40 MiB\\s+" +
          "Environment=production\\s*Host=db1\\s+\\d{4}-.*never",
        "s",
      ),
    );
    assert.match(await row(suite.history.encrypted).innerText(), /completed\s*encrypted/);
    assert.match(await row(suite.history.pending).innerText(), /pending\s+64 GiB\s+–/);
    assert.match(await row(suite.history.failed).innerText(), /error/);
    await assertAccessible(page);
    const rows = page.getByRole("row");
    await page.getByLabel("Search").fill("tuesday");
    assert.equal(await rows.count(), 2);
    await page.getByLabel("Search").fill("");
    await page.getByLabel("State").selectOption("pending");
    assert.match(await rows.nth(1).innerText(), /Under way/);
    await page.getByLabel("State").selectOption("");
    await page.getByLabel("Tag", { exact: true }).fill("Environment=test");
    assert.equal(await rows.count(), 4);
    await page.getByText("3 of 13 snapshots").waitFor();
    await page.getByLabel("Tag", { exact: true }).fill("Environment");
    assert.equal(await rows.count(), 11);
    await page.getByLabel("Tag", { exact: true }).fill("");
    await page.getByRole("button", { name: "Volume" }).click();
    await page.getByRole("button", { name: "Started" }).click();
    assert.equal(await page.locator("[aria-sort=descending]").innerText(), "Started");
  });

  test("shows which descends from which, also on a phone in the dark", async (t) => {
    const page = await suite.open(t, { ...PHONE, colorScheme: "dark" });
    await page.getByRole("link", { name: suite.history.branch }).waitFor();
    await assertFits(page);
    await assertAccessible(page);
    await page.getByLabel("Lineages").check();
    const lines = page.getByRole("listitem");
    assert.equal(await lines.count(), 13);
    const text = (await lines.allInnerTexts()).join("\n\n");
    const { monday, branch, tuesday, wednesday } = suite.history;
    const places = [monday, branch, tuesday, wednesday].map((id) =>
      text.search(new RegExp(`^${id}`, "m")),
    );
    assert.ok(
      places.every((place, i) => place >= 0 && place > (places[i - 1] ?? -1)),
      text,
    );
    assert.match(text, new RegExp(`a branch from ${suite.history.monday}`));
    assert.match(text, new RegExp(`23 MiB of its own, from ${suite.history.monday}`));
    await assertFits(page);
    await assertAccessible(page);
  });

  test("verifies, tags and deletes many, each after a question", async (t) => {
    const page = await suite.open(t);
    const select = async (...ids: string[]) => {
      for (const id of ids) await page.getByLabel(`Select ${id}`).check();
    };
    const button = (name: string | RegExp) => page.getByRole("button", { name });
    await select(suite.history.tuesday, suite.history.wednesday);
    await button("Verify …").click();
    const dialog = page.getByRole("dialog");
    await assertAccessible(page);
    assert.match(await dialog.innerText(), new RegExp(`${suite.history.tuesday} Tuesday`));
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await button("Verify …").click();
    await dialog.getByRole("button", { name: "Verify 2 snapshots" }).click();
    await page.getByText("2 of 2 snapshots verified").waitFor();
    await page.getByRole("row").filter({ hasText: "whole, 2" }).nth(1).waitFor();

    await select(suite.history.failed, suite.history.pending);
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
    assert.equal((await describeSnapshot(suite.service, suite.history.failed))["status"], "error");
    await button("Delete …").click();
    await button("Delete 2 snapshots").click();
    await page.getByText("2 of 2 snapshots deleted").waitFor();
    await page.getByText("0 of 11 snapshots").waitFor();
    // Whoever leaves the screen finds there how it went.
    await page.getByRole("link", { name: "Tasks" }).click();
    await page.getByRole("log").getByText("Delete 2 snapshots: 2 snapshots deleted").waitFor();
  });
});
