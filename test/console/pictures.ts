// Takes the pictures of docs/console.md anew: node test/console/pictures.ts [folder [name …]]

import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { BrowserContextOptions, Page } from "playwright-core";
import type { Service } from "../../src/service.ts";
import { withNewKey } from "../support/keys.ts";
import { getParts, list, send } from "../support/operations.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { builtConsole, openBrowser, openPage, signIn } from "./_browser.ts";
import { clockOfHistory, type History, writeHistory } from "./_history.ts";

const FOLDER = resolve(process.argv[2] ?? join(import.meta.dirname, "../../docs/console"));
/** Names of pictures; all if none is given. */
const ONLY = process.argv.slice(3);
const READ_ONLY = { Statement: { Effect: "Allow", Action: "ec2:Describe*", Resource: "*" } };
const PHONE = { viewport: { width: 390, height: 800 } };

const works: (() => unknown)[] = [];
const cleanup = { after: (work: () => unknown) => void works.push(work) };
try {
  await takeAll();
} finally {
  for (const work of works.reverse()) await work();
}

async function takeAll(): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  const clock = clockOfHistory();
  const consoleFiles = await builtConsole(cleanup);
  const audit = { path: join(await temporaryDirectory(cleanup), "audit.ndjson") };
  const service = await startService(cleanup, { consoleFiles, clock, audit });
  const history = await writeHistory(service, clock);
  await writeGrowth(service);
  await withNewKey(service, { policy: READ_ONLY });
  const browser = await openBrowser(cleanup);
  const take = async (
    name: string,
    options: BrowserContextOptions,
    show: (page: Page) => Promise<void>,
  ) => {
    if (ONLY.length > 0 && !ONLY.includes(name)) return;
    const page = await openPage(cleanup, { browser, service, ...options });
    await signIn(page, service);
    await show(page);
    await page.waitForLoadState("load");
    await page.screenshot({ path: join(FOLDER, `${name}.png`), animations: "disabled" });
    await page.close();
  };
  const goTo = (page: Page, hash: string) => page.goto(`${service.endpoint}/console${hash}`);
  await takeSnapshots({ take, goTo }, history);
  await takeStore({ take, goTo }, () => readBlocks(service, history.sunday));
  await takeAccess({ take, goTo });
  await takeSettings({ take, goTo });
}

/** What a picture is taken with. */
interface Camera {
  readonly take: (
    name: string,
    options: BrowserContextOptions,
    show: (page: Page) => Promise<void>,
  ) => Promise<void>;
  readonly goTo: (page: Page, hash: string) => Promise<unknown>;
}

async function takeSnapshots(
  { take, goTo }: Camera,
  { monday, tuesday, branch }: History,
): Promise<void> {
  await take("snapshots", wide(900), async (page) => {
    await page.getByLabel(`Select ${tuesday}`).check();
    await page.getByRole("button", { name: "Verify …" }).click();
    await page.getByRole("button", { name: "Verify 1 snapshot" }).click();
    await page.getByText("whole, ").waitFor();
  });
  await take("lineages", { ...PHONE, colorScheme: "dark" }, async (page) => {
    await page.getByLabel("Lineages").check();
    await page.getByRole("link", { name: branch }).scrollIntoViewIfNeeded();
  });
  await take("snapshot", wide(1_250), async (page) => {
    await goTo(page, `#/snapshots/${tuesday}`);
    await page.getByText("inherited: 54").waitFor();
    await page.getByLabel("Block index").fill("9");
    await page.getByRole("button", { name: "Go" }).click();
    await page.getByLabel("Bytes of the block").waitFor();
  });
  await take("compare", { ...wide(960), colorScheme: "dark" }, async (page) => {
    await goTo(page, `#/compare?first=${monday}&second=${tuesday}`);
    await page.getByText("46 blocks differ").waitFor();
  });
}

async function takeStore({ take, goTo }: Camera, readBlocks: () => Promise<void>): Promise<void> {
  await take("overview", wide(1_320), async (page) => {
    await goTo(page, "#/overview");
    await page.getByText("Volumes without a recent snapshot").waitFor();
    await readBlocks();
    await page.getByText("Latency, 99 of 100").waitFor();
    // An interval of throughput is drawn once it is over.
    await page.waitForTimeout(7_000);
  });
  await take("overview-phone", { ...PHONE, colorScheme: "dark" }, async (page) => {
    await goTo(page, "#/overview");
    await page.getByText("Stored over time").waitFor();
  });
  await take("tasks", wide(760), async (page) => {
    await goTo(page, "#/tasks");
    await page.getByRole("button", { name: "Scrub" }).click();
    await page.getByText("0 damaged").first().waitFor();
  });
}

async function takeAccess({ take, goTo }: Camera): Promise<void> {
  await take("access", wide(1_120), async (page) => {
    await goTo(page, "#/access");
    await page.getByRole("button", { name: "Create access key …" }).click();
    await page.getByRole("button", { name: "Create access key", exact: true }).click();
    await page.getByText("The service understands all of it").waitFor();
    await page.evaluate("window.scrollTo(0, 0)");
  });
  await take("policies", { ...wide(900), colorScheme: "dark" }, async (page) => {
    await goTo(page, "#/access/policies");
    await page.getByRole("button", { name: "Read only" }).click();
    await page.getByLabel("Also what it does not").check();
    await page.getByText("The service understands all of it").waitFor();
  });
  await take("audit", wide(700), async (page) => {
    await goTo(page, "#/access/audit");
    await page.getByRole("cell", { name: "done" }).first().waitFor();
  });
}

async function takeSettings({ take, goTo }: Camera): Promise<void> {
  await take("retention", wide(1_000), async (page) => {
    await goTo(page, "#/settings");
    await page.getByLabel("Daily").fill("3");
    await page.getByLabel("Weekly").fill("1");
    await page.getByLabel("Monthly").fill("0");
    await page.getByLabel("Latest").fill("1");
    await page.getByRole("button", { name: "Simulate" }).click();
    await page.getByText(/^\d+ kept, \d+ to delete/).waitFor();
  });
  await take("settings", wide(960), async (page) => {
    await goTo(page, "#/settings/service");
    await page.getByText("--recycle-bin-days").waitFor();
  });
  await take("account", { ...PHONE, colorScheme: "light" }, async (page) => {
    await goTo(page, "#/settings/account");
    await page.getByText("alias/aws/ebs").waitFor();
  });
}

function wide(height: number): BrowserContextOptions {
  return { viewport: { width: 1_180, height } };
}

/** Reads and writes something, for throughput and latency to be seen. */
async function readBlocks(service: Service, snapshotId: string): Promise<void> {
  const { Blocks } = await list(service, snapshotId);
  for (const { BlockIndex, BlockToken } of Blocks) {
    await send(service, getParts(snapshotId, BlockIndex, BlockToken));
  }
}

/** How a store might have grown in the weeks before; what was measured meanwhile gives way. */
async function writeGrowth({ core }: Service): Promise<void> {
  const { StoredBytes } = await readStatus(core);
  const nowMs = core.clock.nowMs();
  const { statistics } = core.catalog;
  for (let day = 0; day <= 40; day++) {
    const share = 0.35 + 0.65 * (1 - day / 40) + 0.02 * Math.sin(day);
    const timeMs = nowMs - day * 86_400_000;
    const measure = { timeMs, snapshotCount: 40 - day, freeBytes: undefined };
    await statistics.keepMeasure(
      { ...measure, storedBytes: StoredBytes * share, protectedBytes: 6.4e8 * share ** 2 },
      { fullFromMs: 0, keptFromMs: day === 0 ? timeMs : 0 },
    );
  }
}

async function readStatus(core: Service["core"]): Promise<{ StoredBytes: number }> {
  const live = await core.catalog.segments.liveBytes();
  return { StoredBytes: [...live.values()].reduce((sum, bytes) => sum + bytes, 0) };
}
