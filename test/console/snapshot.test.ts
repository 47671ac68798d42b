import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { actionParts, send } from "../support/operations.ts";
import { asSecondAccount } from "../support/second-account.ts";
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
    // Of its 46 blocks, Wednesday's wrote 12 anew and has the others; nobody else has those 12.
    await facts.getByText("6 MiB as read").waitFor();
    assert.match(await legend.innerText(), /own: 46 \(23 MiB\)/);
    assert.match(await legend.innerText(), /zeros: 20 \(10 MiB\)/);
    await assertAccessible(page);
    await facts.getByRole("link", { name: suite.history.monday }).click();
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
    assert.match(await panel.innerText(), /segment \d+, [\d,]+ bytes from [\d,]+ on/);
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

  test("tells its lineage and what one block was in it, and locks it", async (t) => {
    const { monday, tuesday, wednesday, branch } = suite.history;
    const page = await suite.open(t, { ...PHONE, colorScheme: "dark" });
    await open(page, wednesday);
    const lines = page.locator(".lineage li");
    await lines.nth(3).waitFor();
    const ids = (await lines.allInnerTexts()).map((text) => /snap-\w+/.exec(text)?.[0]);
    assert.deepEqual(ids, [suite.history.thursday, wednesday, tuesday, monday]);
    await page.getByText("own: 13").waitFor();
    await page.getByLabel("Block index").fill("310");
    await page.getByRole("button", { name: "Go" }).click();
    await page.getByRole("button", { name: "Its history through the lineage" }).click();
    const stages = page.getByRole("region", { name: "Block 310 through the lineage" });
    const texts = async () => stages.locator("tbody tr").allInnerTexts();
    await stages.locator("tbody tr").nth(2).waitFor();
    const [now = "", before = "", first = ""] = await texts();
    assert.match(
      now,
      new RegExp(`Wednesday.*${hash("sha256", blockOf(310, 3), "hex").slice(0, 16)}`, "s"),
    );
    assert.match(now, /written anew/);
    assert.match(before, /Tuesday.*first written here/s);
    assert.match(first, /Monday.*a hole.*never written/s);

    await page.getByRole("button", { name: "Lock …" }).click();
    await page.getByLabel("Days").fill("2");
    await page.getByRole("button", { name: "Lock snapshot" }).click();
    await page.getByText("governance", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Delete …" }).click();
    await page.getByRole("button", { name: "Delete snapshot" }).click();
    await page.getByText("locked").first().waitFor();
    await page.getByRole("button", { name: "Unlock" }).click();
    await page.getByText("whoever may delete the snapshot can").waitFor();
    await assertFits(page);
    await assertAccessible(page);
    await page.goto(`${suite.service.endpoint}/console#/snapshots/${monday}`);
    const children = page.locator(".lineage li.branch");
    await children.nth(1).waitFor();
    assert.match((await children.allInnerTexts()).join(), new RegExp(branch));
  });

  test("saves it as an image, block by block, holes as zeros", async (t) => {
    const page = await suite.open(t);
    // A browser asks where to save; here it is the page's own file system.
    await page.evaluate(`
      globalThis.showSaveFilePicker = async ({ suggestedName }) => {
        const folder = await navigator.storage.getDirectory();
        return folder.getFileHandle(suggestedName, { create: true });
      };
    `);
    const { tuesday } = suite.history;
    await open(page, tuesday);
    await page.getByRole("button", { name: "Save as a raw image …" }).click();
    await page.getByText("120 blocks saved and verified").first().waitFor();
    const digestAt = (index: number) =>
      page.evaluate<string>(`(async () => {
        const folder = await navigator.storage.getDirectory();
        const file = await (await folder.getFileHandle("${tuesday}.raw")).getFile();
        const part = file.slice(${index} * 524288, ${index + 1} * 524288);
        const digest = await crypto.subtle.digest("SHA-256", await part.arrayBuffer());
        return file.size + " " + [...new Uint8Array(digest)]
          .map((byte) => byte.toString(16).padStart(2, "0")).join("");
      })()`);
    for (const [index, seed] of [
      [9, 2],
      [0, 1],
      [105, 0],
      [2_047, 0],
    ] as const) {
      const digest = hash("sha256", blockOf(index, seed), "hex");
      assert.equal(await digestAt(index), `1073741824 ${digest}`, `block ${index}`);
    }
  });

  test("offers the command where the browser writes no files", async (t) => {
    const page = await suite.open(t);
    await page.evaluate("delete globalThis.showSaveFilePicker");
    await open(page, suite.history.tuesday);
    await page.getByText("This browser writes no files of that size from a page").waitFor();
    assert.equal(await page.getByRole("button", { name: "Save as a raw image" }).count(), 0);
  });

  test("says of pending and failed ones what they are, and of unknown ones", async (t) => {
    const page = await suite.open(t);
    await open(page, suite.history.failed);
    assert.match(await page.locator("dl.facts").innerText(), /error .*\w/);
    await page.getByText("There is one once the snapshot is completed").waitFor();
    await page.goto(`${suite.service.endpoint}/console#/snapshots/snap-0ffffffffffffffff`);
    await page.getByText("There is no snapshot snap-0ffffffffffffffff").waitFor();
  });

  test("does not say whose blocks another account's snapshot has", async (t) => {
    const { service, history } = suite;
    const as = await asSecondAccount(service);
    const shared = { "CreateVolumePermission.Add.1.UserId": as.firstKey.key.account };
    const attribute = { SnapshotId: history.monday, ...shared };
    const sharing = actionParts("ModifySnapshotAttribute", attribute);
    const { status, text } = await send(service, sharing, { service: "ec2" });
    assert.equal(status, 200, text);
    const page = await suite.open(t, { as });
    await page.goto(`${service.endpoint}/console#/snapshots/${history.monday}`);
    await page.getByText("allocated: 60").waitFor();
    assert.match(await page.locator(".legend").innerText(), /zeros: 20 /);
    assert.equal(await page.getByText("own: ").count(), 0);
    assert.match(await page.locator("dl.facts").first().innerText(), /Parent\s+–/);
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
    const zoomedMs: number[] = [];
    await page.getByRole("button", { name: "Whole volume" }).click();
    for (let i = 0; i < 14; i++) {
      await page.getByRole("button", { name: "Zoom in" }).click();
      zoomedMs.push(Number(await map.getAttribute("data-painted-ms")));
    }
    t.diagnostic(`painted at each step of zooming in: ${zoomedMs.join(", ")} ms`);
    assert.ok(Math.max(...zoomedMs) < PAINT_MS_MAX, `painted in ${zoomedMs.join(", ")} ms`);
  });
});
