// Takes the pictures of docs/console.md anew: node test/console/pictures.ts [folder]

import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { BrowserContextOptions, Page } from "playwright-core";
import { startService } from "../support/service.ts";
import { builtConsole, openBrowser, openPage, signIn } from "./_browser.ts";
import { clockOfHistory, writeHistory } from "./_history.ts";

const FOLDER = resolve(process.argv[2] ?? join(import.meta.dirname, "../../docs/console"));
const WIDE = { viewport: { width: 1180, height: 760 } };
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
  const service = await startService(cleanup, { consoleFiles, clock });
  const { monday, tuesday, branch } = await writeHistory(service, clock);
  const browser = await openBrowser(cleanup);
  const take = async (
    name: string,
    options: BrowserContextOptions,
    show: (page: Page) => Promise<void>,
  ) => {
    const page = await openPage(cleanup, { browser, service, ...options });
    await signIn(page, service);
    await show(page);
    await page.waitForLoadState("networkidle");
    await page.screenshot({ path: join(FOLDER, `${name}.png`), animations: "disabled" });
  };
  const goTo = (page: Page, hash: string) => page.goto(`${service.endpoint}/console${hash}`);
  await take("snapshots", WIDE, async (page) => {
    await page.getByLabel(`Select ${tuesday}`).check();
    await page.getByRole("button", { name: "Verify …" }).click();
    await page.getByRole("button", { name: "Verify 1 snapshot" }).click();
    await page.getByText("whole, ").waitFor();
  });
  await take("overview", { ...PHONE, colorScheme: "light" }, async (page) => {
    await goTo(page, "#/overview");
    await page.getByText("All read again since").waitFor();
  });
  await take("lineages", { ...PHONE, colorScheme: "dark" }, async (page) => {
    await page.getByLabel("Lineages").check();
    await page.getByRole("link", { name: branch }).scrollIntoViewIfNeeded();
  });
  await take("snapshot", { viewport: { width: 1180, height: 1250 } }, async (page) => {
    await goTo(page, `#/snapshots/${tuesday}`);
    await page.getByText("inherited: 54").waitFor();
    await page.getByLabel("Block index").fill("9");
    await page.getByRole("button", { name: "Go" }).click();
    await page.getByLabel("Bytes of the block").waitFor();
  });
  await take(
    "compare",
    { viewport: { width: 1180, height: 960 }, colorScheme: "dark" },
    async (page) => {
      await goTo(page, `#/compare?first=${monday}&second=${tuesday}`);
      await page.getByText("46 blocks differ").waitFor();
    },
  );
}
