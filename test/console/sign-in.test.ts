import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { openService, type Service } from "../../src/service.ts";
import { withNewKey } from "../support/keys.ts";
import { MovingClock } from "../support/moving-clock.ts";
import { REGION, startService } from "../support/service.ts";
import { withSession } from "../support/sessions.ts";
import { suiteCleanup } from "../support/suite-cleanup.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";
import {
  assertAccessible,
  assertFits,
  builtConsole,
  openBrowser,
  openPage,
  SKIP,
  signIn,
} from "./_browser.ts";

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

async function enter(page: Page, key: Key): Promise<void> {
  await page.getByLabel("Access key id").fill(key.accessKeyId);
  await page.getByLabel("Secret access key").fill(key.secretAccessKey);
  if (key.sessionToken !== undefined) {
    await page.getByText("Temporary credentials").click();
    await page.getByLabel("Session token").fill(key.sessionToken);
  }
  await page.getByRole("button", { name: "Sign in" }).click();
}

describe("signing in to the console", { skip: SKIP }, () => {
  const suite = suiteCleanup();
  let consoleFiles: ReadonlyMap<string, Uint8Array>;
  let browser: Browser;
  before(async () => {
    consoleFiles = await builtConsole(suite);
    browser = await openBrowser(suite);
  });

  test("says what is wrong with a key, then lets one in that is right", async (t) => {
    const service = await startService(t, { consoleFiles, region: "eu-central-1" });
    const page = await openPage(t, {
      browser,
      service,
      viewport: { width: 360, height: 740 },
    });
    const { accessKeyId, secretAccessKey } = service.firstKey.key;
    await assertAccessible(page);
    await assertFits(page);
    const failure = page.getByRole("alert");
    await enter(page, { accessKeyId: "AKIAUNKNOWNUNKNOWN22", secretAccessKey });
    assert.match(await failure.innerText(), /knows no such active access key/);
    await enter(page, { accessKeyId, secretAccessKey: `${secretAccessKey}x` });
    await page.getByText("does not belong to this access key id").waitFor();
    await page.getByLabel("Secret access key").fill(secretAccessKey);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Snapshots" }).waitFor();
    const kept = "JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])";
    assert.ok(!(await page.evaluate<string>(kept)).includes(secretAccessKey));
    await page.reload();
    await page.getByLabel("Secret access key").waitFor();
  });

  test("tells of credentials that have expired, and signs in again where one was", async (t) => {
    const clock = new MovingClock();
    const service = await startService(t, { consoleFiles, clock });
    const target = await withSession({ ...service, clock }, "GetSessionToken", {
      DurationSeconds: "3600",
    });
    const page = await openPage(t, { browser, service });
    await enter(page, target.firstKey.key);
    // All that was asked at first has been answered: it was still signed with a session that lasts.
    await page.getByText("There are no snapshots yet").waitFor();
    clock.advance(3_700_000);
    await page.clock.setFixedTime(clock.nowMs());
    // Unless it has looked again by itself meanwhile, and knows already.
    const reload = page.getByRole("button", { name: "Reload" });
    const expired = page.getByText("Your session has expired");
    await reload.or(expired).first().waitFor();
    if (await reload.isVisible()) await reload.click({ timeout: 2_000 }).catch(() => undefined);
    await expired.waitFor();
    await signIn(page, service);
    await page.getByRole("heading", { name: "Snapshots" }).waitFor();
  });

  test("signs out when the key is no longer active", async (t) => {
    const service = await startService(t, { consoleFiles });
    const target = await withNewKey(service);
    const page = await openPage(t, { browser, service });
    await enter(page, target.firstKey.key);
    await page.getByText("There are no snapshots yet").waitFor();
    const { accessKeyId } = target.firstKey.key;
    await service.core.catalog.identity.changeAccessKey(accessKeyId, "delete");
    await page.getByRole("button", { name: "Reload" }).click();
    await page.getByText("knows no such active access key").waitFor();
  });

  test("waits for a service that is gone, and goes on when it is back", async (t) => {
    const dataDirectory = await temporaryDirectory(t);
    const config = { dataDirectory, host: "127.0.0.1", region: REGION, consoleFiles };
    let service: Service = await openService({ ...config, port: 0 });
    t.after(() => service.close());
    const page = await openPage(t, { browser, service });
    await signIn(page, service);
    await page.getByText("There are no snapshots yet").waitFor();
    const port = Number(new URL(service.endpoint).port);
    await service.close();
    await page.getByRole("button", { name: "Reload" }).click();
    const banner = page.getByText("Looking for it every 2 seconds");
    await banner.waitFor();
    // What stands before it is there first.
    let answered = 0;
    await page.route("**/*", (route) => {
      answered += 1;
      return route.fulfill({ status: 502, body: "Bad gateway" });
    });
    await waitUntil(
      async () => answered,
      (count) => count > 0,
    );
    await page.unroute("**/*");
    service = await openService({ ...config, port });
    await banner.waitFor({ state: "detached" });
    await page.getByText("There are no snapshots yet").waitFor();

    // A screen that looks again by itself notices by itself.
    await page.getByRole("link", { name: "Tasks" }).click();
    await page.getByText("Nothing.").waitFor();
    await service.close();
    await banner.waitFor();
    await assertAccessible(page);
    service = await openService({ ...config, port });
    await banner.waitFor({ state: "detached" });
    const asked = page.waitForRequest("**/varve/status");
    await page.getByText("Nothing.").waitFor();
    await asked;
  });
});
