import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { assertAccessible, assertFits, consoleSuite, PHONE, SKIP } from "./_browser.ts";
import { blockOf } from "./_history.ts";

/** Blocks that have to be drawn in the time below. */
const MANY_COUNT = 1_048_576;
const PAGE_COUNT = 10_000;
const PAINT_MS_MAX = 1_000;

describe("the screen of one snapshot", { skip: SKIP }, () => {
  const suite = consoleSuite();

  async function open(page: Page, id: string): Promise<void> {
    await page.getByRole("link", { name: id, exact: true }).click();
    await page.getByRole("heading", { name: id }).waitFor();
  }

  test("tells its facts, and which blocks are its own, inherited and zeros", async (t) => {
    const page = await suite.open(t);
    await open(page, suite.history.tuesday);
    const facts = page.locator("dl.facts").first();
    assert.match(await facts.innerText(), /Tuesday[\s\S]*completed[\s\S]*60 MiB[\s\S]*23 MiB/);
    const legend = page.locator(".legend");
    await page.getByText("inherited: 54").waitFor();
    assert.match(await legend.innerText(), /own: 46 \(23 MiB\)/);
    assert.match(await legend.innerText(), /zeros: 20 \(10 MiB\)/);
    await assertAccessible(page);
    await page.getByRole("link", { name: suite.history.monday }).click();
    await page.getByText("own: 60").waitFor();
  });

  test("goes by keyboard from the volume to one block and its bytes", async (t) => {
    const page = await suite.open(t, { ...PHONE, colorScheme: "dark" });
    await open(page, suite.history.tuesday);
    await page.getByText("inherited: 54").waitFor();
    const map = page.getByRole("slider", { name: "Block map" });
    await map.focus();
    await page.keyboard.press("Home");
    for (let i = 0; i < 6; i++) await page.keyboard.press("+");
    await page.getByText("Block 0; a square is a block").waitFor();
    for (let i = 0; i < 9; i++) await page.keyboard.press("ArrowRight");
    assert.equal(await map.getAttribute("aria-valuetext"), "block 9, own");
    const panel = page.getByRole("region", { name: "Chosen block" });
    const digest = hash("sha256", blockOf(9, 2), "hex");
    await panel.getByText(digest).waitFor();
    assert.match(await panel.innerText(), /4,718,592 bytes \(4.5 MiB\)/);
    const bytes = page.getByLabel("Bytes of the block");
    assert.match(await bytes.innerText(), /^00000 {2}62 6c 6f 63 6b 20 39 20.* {2}block 9 of 2 ·/);
    await page.getByRole("button", { name: "Bytes after" }).click();
    assert.match(await bytes.innerText(), /^00200 {2}00 00/);
    await page.getByLabel("Block index").fill("500");
    await page.getByRole("button", { name: "Go" }).click();
    await panel.getByText("A hole: never written").waitFor();
    await assertFits(page);
    await assertAccessible(page);
  });

  test("chooses the block that is clicked on", async (t) => {
    const page = await suite.open(t);
    await open(page, suite.history.branch);
    await page.getByText("own: 25").waitFor();
    const map = page.getByRole("slider", { name: "Block map" });
    await map.click({ position: { x: 3, y: 3 } });
    await page.getByRole("heading", { name: "Block 0" }).waitFor();
    await map.dblclick({ position: { x: 3, y: 3 } });
    await page.getByText("Blocks 0 to 511").waitFor();
    await page.getByRole("button", { name: "Whole volume" }).click();
    await page.getByText("The whole volume, 1 GiB").waitFor();
  });

  test("adds and removes tags, and offers commands to copy", async (t) => {
    const page = await suite.open(t);
    await open(page, suite.history.encrypted);
    await page.getByText("arn:aws:kms:").waitFor();
    await page.getByLabel("Key", { exact: true }).fill("Owner");
    await page.getByLabel("Value").fill("payroll");
    await page.getByRole("button", { name: "Add tag" }).click();
    await page.getByText("Owner=payroll").waitFor();
    await page.getByRole("button", { name: "Remove tag Owner" }).click();
    await page.getByText("Owner=payroll").waitFor({ state: "detached" });
    const command =
      `varve download ${suite.history.encrypted} restored.raw ` +
      `--endpoint ${suite.service.endpoint}`;
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("button", { name: `Copy: ${command}` }).click();
    await page.getByText("Copied").waitFor();
    assert.equal(await page.evaluate("navigator.clipboard.readText()"), command);
  });

  test("says of pending and failed ones what they are, and of unknown ones", async (t) => {
    const page = await suite.open(t);
    await open(page, suite.history.failed);
    assert.match(await page.locator("dl.facts").innerText(), /error .*\w/);
    await page.getByText("There is one once the snapshot is completed").waitFor();
    await page.goto(`${suite.service.endpoint}/console#/snapshots/snap-0ffffffffffffffff`);
    await page.getByText("There is no snapshot snap-0ffffffffffffffff").waitFor();
  });

  test("draws a million blocks of 64 TiB in less than a second", async (t) => {
    const page = await suite.open(t);
    await page.route("**/snapshots/*/digests*", (route) => {
      const token = new URL(route.request().url()).searchParams.get("pageToken");
      const first = Number(token ?? 0);
      const count = Math.min(PAGE_COUNT, MANY_COUNT - first);
      const Blocks = Array.from({ length: count }, (_, i) => {
        return { BlockIndex: (first + i) * 128, Checksum: "x" };
      });
      const next = first + count < MANY_COUNT ? String(first + count) : null;
      const body = JSON.stringify({ Blocks, NextToken: next, VolumeSize: 65_536 });
      return route.fulfill({ contentType: "application/json", body });
    });
    await open(page, suite.history.monday);
    const map = page.getByRole("slider", { name: "Block map" });
    await page.getByText("own: 1,048,576 (512 GiB)").waitFor({ timeout: 60_000 });
    await page.getByText("The whole volume, 64 TiB").waitFor();
    assert.equal(await map.getAttribute("data-blocks"), String(MANY_COUNT));
    const paintedMs = Number(await map.getAttribute("data-painted-ms"));
    assert.ok(paintedMs > 0 && paintedMs < PAINT_MS_MAX, `painted in ${paintedMs} ms`);
    t.diagnostic(`${MANY_COUNT} blocks painted in ${paintedMs} ms`);
    await page.getByLabel("Block index").fill("134217600");
    await page.getByRole("button", { name: "Go" }).click();
    for (let i = 0; i < 14; i++) await page.getByRole("button", { name: "Zoom in" }).click();
    await page.getByText("Block 134,217,600; a square is a block").waitFor();
  });
});
