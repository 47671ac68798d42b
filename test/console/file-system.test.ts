import assert from "node:assert/strict";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import {
  type Client,
  createClient,
  diffSnapshots,
  listSnapshotBlocks,
  uploadSnapshot,
} from "../../src/client/index.ts";
import type { Service } from "../../src/service.ts";
import { MKFS, makeFileSystem } from "../support/file-system.ts";
import { completeParts, put, send, settled, start } from "../support/operations.ts";
import { reasonToSkip, run } from "../support/program.ts";
import { sdkOptions, startService } from "../support/service.ts";
import { suiteCleanup } from "../support/suite-cleanup.ts";
import { builtConsole, openBrowser, openPage, SKIP, signIn } from "./_browser.ts";
import { blockOf } from "./_history.ts";

/*
 * Ten days of a real ext4 file system: files are added inside of it, one a day, and from the third
 * day on a second branch is. What the console says is what the API says.
 */

const DEBUGFS = { show: ["debugfs", "-V"] } as const;
const DAYS = 10;
/** Days of the main branch; those after it descend from the third day. */
const MAIN_DAYS = 6;
const FORK_DAY = 3;
/** Where ext4 keeps its magic number, 53 ef, behind the beginning of its superblock. */
const MAGIC_LINE = /^00430 {2}(?:[0-9a-f]{2} ){8}53 ef/m;

describe("the console on a file system of ten days", {
  skip: SKIP || (await reasonToSkip([MKFS, DEBUGFS])),
}, () => {
  const cleanup = suiteCleanup();
  let made: { service: Service; browser: Browser; client: Client; days: readonly string[] };

  before(async () => {
    const consoleFiles = await builtConsole(cleanup);
    const service = await startService(cleanup, { consoleFiles });
    const client = createClient(sdkOptions(service));
    cleanup.after(() => client.close());
    const days = await writeDays(client);
    const path = await imageOfDay(0);
    await uploadSnapshot(client, { path, encrypted: true, description: "Encrypted" });
    await put(service, await start(service, {}), new Map([[1, blockOf(1, 2)]]));
    const failed = await start(service, {});
    await send(service, completeParts(failed, 9));
    assert.equal((await settled(service, failed))["status"], "error");
    made = { service, client, days, browser: await openBrowser(cleanup) };
  });

  /** The image as it was on a day; each is made from the one that it descends from. */
  const images: string[] = [];
  async function imageOfDay(day: number): Promise<string> {
    return images[day] ?? assert.fail(`day ${day} has an image`);
  }

  async function writeDays(client: Client): Promise<string[]> {
    const { folder, image } = await makeFileSystem(cleanup);
    images.push(image);
    const ids = [(await uploadSnapshot(client, { path: image, description: "Day 0" })).snapshotId];
    for (let day = 1; day < DAYS; day++) {
      const from = day === MAIN_DAYS ? FORK_DAY : day - 1;
      const path = join(folder, `day-${day}.raw`);
      const added = join(folder, "added");
      await copyFile(await imageOfDay(from), path);
      await writeFile(added, Buffer.alloc(700_000, `what was written on day ${day}\n`));
      await run(["debugfs", "-w", "-R", `write ${added} /day-${day}`, path]);
      images.push(path);
      const parentSnapshotId = ids[from] ?? "";
      const upload = { path, parentSnapshotId, description: `Day ${day}` };
      ids.push((await uploadSnapshot(client, upload)).snapshotId);
    }
    return ids;
  }

  test("finds days, draws their blocks, and shows ext4's own bytes", async (t) => {
    const { browser, service, client, days } = made;
    const page = await openPage(t, { browser, service });
    await signIn(page, service);
    await page.getByRole("link", { name: "Snapshots" }).click();
    await page
      .getByText(`${DAYS + 3} snapshots`)
      .first()
      .waitFor();
    const [parent = "", id = ""] = [days[1], days[2]];
    await page.getByLabel("Search").fill("Day 2");
    await page.getByRole("link", { name: id, exact: true }).click();
    const { changedBlocks: blocks } = await diffSnapshots(client, {
      firstSnapshotId: parent,
      secondSnapshotId: id,
    });
    assert.ok(blocks > 1, "a file of 700 kB takes blocks");
    await page.getByText(new RegExp(`own: ${blocks} `)).waitFor();
    const { Blocks } = await listSnapshotBlocks(client, id);
    const legend = await page.locator(".legend").innerText();
    const [own, inherited, zeros] = ["own", "inherited", "zeros"].map((what) =>
      Number(new RegExp(`${what}: (\\d+)`).exec(legend)?.[1] ?? 0),
    ) as [number, number, number];
    assert.equal(own + inherited + zeros, Blocks.length, legend);
    await page.getByLabel("Block index").fill("0");
    await page.getByRole("button", { name: "Go" }).click();
    await page.getByRole("region", { name: "Chosen block" }).waitFor();
    // 512 bytes are shown at once, and the magic number is behind the first 1,080.
    const bytes = page.getByLabel("Bytes of the block");
    await page.getByRole("button", { name: "Bytes after" }).click();
    await page.getByRole("button", { name: "Bytes after" }).click();
    await bytes.getByText("00430").waitFor();
    assert.match(await bytes.innerText(), MAGIC_LINE);
  });

  test("compares the ends of both branches as varve diff does", async (t) => {
    const { browser, service, client, days } = made;
    const page = await openPage(t, { browser, service });
    await signIn(page, service);
    const [first = "", second = ""] = [days[MAIN_DAYS - 1], days[DAYS - 1]];
    await page.getByRole("link", { name: "Compare" }).click();
    await page.getByLabel("First").selectOption(first);
    await page.getByLabel("Second").selectOption(second);
    const pair = { firstSnapshotId: first, secondSnapshotId: second };
    const { changedBlocks: blocks } = await diffSnapshots(client, pair);
    assert.ok(blocks > 0);
    await page.getByText(`${blocks} blocks differ`).waitFor();
  });
});
