import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { before } from "node:test";
import { pathToFileURL } from "node:url";
import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { buildConsole } from "../../scripts/build-console.ts";
import { systemClock } from "../../src/base/clock.ts";
import { readConsoleFiles } from "../../src/cli/console-files.ts";
import type { Service, ServiceConfig } from "../../src/service.ts";
import type { Target } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { suiteCleanup } from "../support/suite-cleanup.ts";
import { type Cleanup, temporaryDirectory } from "../support/temporary-directory.ts";
import { clockOfHistory, type History, writeHistory } from "./_history.ts";

/* A real browser on the built console, which takes nothing from elsewhere and breaks no rule. */

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** Where a Chromium is; undefined where the machine has none. */
export const CHROMIUM = NAMES.map((name) => spawnSync("which", [name], { encoding: "utf8" }))
  .map(({ stdout }) => (stdout ?? "").trim())
  .find((path) => path !== "");

/** For the options of a test: says why it is skipped where there is no browser. */
export const SKIP = CHROMIUM === undefined ? "no chromium on this machine" : false;

/** A window as narrow as those of phones. */
export const PHONE = { viewport: { width: 360, height: 740 } };

/** The console built from the sources as they are, in a folder of its own. */
export async function builtConsole(t: Cleanup): Promise<ReadonlyMap<string, Uint8Array>> {
  const folder = await temporaryDirectory(t);
  await buildConsole(folder);
  const files = await readConsoleFiles(pathToFileURL(`${folder}/`));
  assert.ok(files, "the console was built");
  return files;
}

/** Starts the browser. */
export async function openBrowser(t: Cleanup): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM ?? "",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  t.after(() => browser.close());
  return browser;
}

/** A service with a history, and a browser, for all tests of a suite. */
export interface ConsoleSuite {
  readonly service: Service;
  readonly browser: Browser;
  readonly history: History;
  /** A page that has signed in with the service's first key, or with another one. */
  open(t: Cleanup, options?: SuitePageOptions): Promise<Page>;
}

/** How a suite's page is opened. */
export type SuitePageOptions = BrowserContextOptions & {
  /** Who signs in; the service's first key unless given. */
  readonly as?: Pick<Target, "firstKey"> | undefined;
};

/** Sets a suite up: to be called in `describe`; what it answers is there once tests run. */
export function consoleSuite(config: Partial<ServiceConfig> = {}): ConsoleSuite {
  const cleanup = suiteCleanup();
  let made: Omit<ConsoleSuite, "open"> | undefined;
  before(async () => {
    const consoleFiles = await builtConsole(cleanup);
    // Over some days, unless the suite needs a clock that never jumps: then all at once.
    const past = config.clock ? undefined : clockOfHistory();
    const clock = past ?? config.clock ?? systemClock;
    const service = await startService(cleanup, { ...config, consoleFiles, clock });
    const history = await writeHistory(service, past);
    made = { service, history, browser: await openBrowser(cleanup) };
  });
  const parts = () => {
    assert.ok(made, "the suite is set up");
    return made;
  };
  return {
    get service() {
      return parts().service;
    },
    get browser() {
      return parts().browser;
    },
    get history() {
      return parts().history;
    },
    async open(t, { as, ...options } = {}) {
      const { service, browser } = parts();
      const page = await openPage(t, { browser, service, ...options });
      await signIn(page, as ?? service);
      return page;
    },
  };
}

/** Which browser is to look at which service, and how. */
export type PageOptions = BrowserContextOptions & {
  readonly browser: Browser;
  readonly service: Pick<Service, "endpoint">;
};

/** A page and what it must not do: checked when the test ends. */
export async function openPage(
  t: Cleanup,
  { browser, service, ...options }: PageOptions,
): Promise<Page> {
  const { endpoint } = service;
  const context = await browser.newContext({ timezoneId: "UTC", ...options });
  const faults: string[] = [];
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (/content security policy/i.test(message.text())) faults.push(message.text());
  });
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "blob:" && origin !== endpoint) faults.push(`request: ${request.url()}`);
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(faults, [], "the page broke no rule and asked nobody else");
  });
  await page.goto(`${endpoint}/console`);
  return page;
}

/** Signs in with the service's first key. */
export async function signIn(page: Page, { firstKey }: Pick<Target, "firstKey">): Promise<void> {
  await page.getByLabel("Access key id").fill(firstKey.key.accessKeyId);
  await page.getByLabel("Secret access key").fill(firstKey.key.secretAccessKey);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Sign out" }).waitFor();
}

/** Fails on what keeps people with screen readers or keyboards out. */
export async function assertAccessible(page: Page): Promise<void> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>("axe.run(document)");
  const serious = violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`);
  assert.deepEqual(serious, []);
}

/** The width that the page takes: more than the window's means that something is cut off. */
export async function assertFits(page: Page): Promise<void> {
  const measure = "(({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth])";
  const [wanted = 0, width = 0] = await page.evaluate<number[]>(
    `${measure}(document.documentElement)`,
  );
  const wide = await page.evaluate<string[]>(
    `[...document.body.querySelectorAll("*")]
      .filter((each) => each.getBoundingClientRect().right > ${width})
      .map((each) => each.outerHTML.slice(0, 80))`,
  );
  const message = `the page is ${wanted} px wide in a window of ${width}: ${wide.join(" | ")}`;
  assert.ok(wanted <= width, message);
}
