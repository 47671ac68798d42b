import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { admin, newAccount, policyOf, withNewKey } from "../support/keys.ts";
import { listParts, send } from "../support/operations.ts";
import { startService } from "../support/service.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
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

describe("the screen of access", { skip: SKIP }, () => {
  const suite = consoleSuite();

  test("creates a key whose secret is shown once, deactivates and deletes it", async (t) => {
    const page = await suite.open(t);
    await page.getByRole("link", { name: "Access" }).click();
    const button = (name: string) => page.getByRole("button", { name, exact: true });
    await button("Create access key …").click();
    await assertAccessible(page);
    await page.getByLabel("Everything its account may").check();
    await button("Create access key").click();
    const shown = page.locator(".secret");
    await shown.getByText("The secret is shown this once").waitFor();
    const [accessKeyId = "", secretAccessKey = ""] = await shown.locator("code").allInnerTexts();
    await assertAccessible(page);
    const made = { ...suite.service, firstKey: { key: { accessKeyId, secretAccessKey } } };
    const status = async () => (await send(made, listParts("snap-0ffffffffffffffff"))).status;
    assert.equal(await status(), 404, "the key is let in");
    await button("I have kept it").click();
    assert.ok(!(await page.content()).includes(secretAccessKey), "the secret is gone");

    await button(`Deactivate ${accessKeyId}`).click();
    await button("Deactivate access key").click();
    await button(`Activate ${accessKeyId}`).waitFor();
    assert.equal(await status(), 403);
    await button(`Activate ${accessKeyId}`).click();
    await button(`Deactivate ${accessKeyId}`).waitFor();
    assert.equal(await status(), 404);
    await button(`Delete ${accessKeyId}`).click();
    await button("Cancel").click();
    await button(`Delete ${accessKeyId}`).click();
    await button("Delete access key").click();
    await page.getByText(accessKeyId).first().waitFor({ state: "detached" });
    assert.equal(await status(), 403);
  });

  test("keeps the last key that can manage, and says why", async (t) => {
    const page = await suite.open(t, { ...PHONE, colorScheme: "dark" });
    const { accessKeyId } = suite.service.firstKey.key;
    await page.getByRole("link", { name: "Access" }).click();
    await page.getByText("you have signed in with it").waitFor();
    await page.getByRole("button", { name: `Delete ${accessKeyId}` }).click();
    await page.getByRole("button", { name: "Delete access key" }).click();
    await page.getByRole("alert").getByText("last active access key").waitFor();
    await assertFits(page);
    await assertAccessible(page);
  });

  test("writes a policy, says what it would allow, and sets it", async (t) => {
    const { service, history } = suite;
    const target = await withNewKey(service);
    const { accessKeyId } = target.firstKey.key;
    const page = await suite.open(t);
    await page.getByRole("link", { name: "Access" }).click();
    await page.getByRole("button", { name: `Policy of ${accessKeyId}` }).click();
    await page.getByText("every right of its account").waitFor();
    const text = page.getByLabel("Policy, in the JSON of IAM");
    const verdict = page.locator(".policy [role=status]").first();
    await text.fill("{");
    await page.getByText("This is not JSON").waitFor();
    assert.equal(await page.getByRole("button", { name: "Set policy" }).isDisabled(), true);
    await text.fill('{"Statement":{"Effect":"Allow","Action":"ebs:Get*"}}');
    await page.getByText("Statement: needs either Resource or NotResource").waitFor();
    const production = { StringEquals: { "ec2:ResourceTag/Environment": "production" } };
    const reading = { Action: ["ebs:Get*", "ebs:List*"], Condition: production };
    await text.fill(JSON.stringify(policyOf(reading)));
    await page.getByText(/^0 actions of \d+ allowed/).waitFor();
    await page.getByLabel("On", { exact: true }).fill(history.tuesday);
    await page.getByText(/^3 actions of \d+ allowed/).waitFor();
    await page.getByLabel("On", { exact: true }).fill(history.branch);
    await page.getByText(/^0 actions of \d+ allowed/).waitFor();
    assert.match(await verdict.innerText(), /understands all of it/);
    await assertAccessible(page);
    await page.getByRole("button", { name: "Set policy" }).click();
    await page.getByText("The policy is set").waitFor();
    const [ofTuesday, ofBranch] = [listParts(history.tuesday), listParts(history.branch)];
    assert.equal((await send(target, ofTuesday)).status, 200);
    assert.equal((await send(target, ofBranch)).status, 403);
    await page.getByRole("button", { name: "Remove policy …" }).click();
    await page.getByRole("button", { name: "Remove policy", exact: true }).click();
    await page.getByText("The policy is gone").waitFor();
    assert.equal((await send(target, ofBranch)).status, 200);
  });

  test("tries a policy that nobody has yet, on a phone", async (t) => {
    const page = await suite.open(t, PHONE);
    await page.goto(`${suite.service.endpoint}/console#/access/policies`);
    await page.getByRole("button", { name: "Write, and read nothing" }).click();
    await page.getByText(/^3 actions of \d+ allowed/).waitFor();
    await page.getByLabel("Also what it does not").check();
    await page.getByText("DeleteSnapshot").waitFor();
    await assertFits(page);
    await assertAccessible(page);
  });

  test("makes accounts, and shows another account's own keys to it only", async (t) => {
    const page = await suite.open(t);
    await page.getByRole("link", { name: "Access" }).click();
    await page.getByRole("button", { name: "New account …" }).click();
    await page.getByLabel("Account id, twelve digits").fill("000000000077");
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByRole("heading", { name: "Access keys of 000000000077" }).waitFor();
    await page.getByText("Create one to let somebody in").waitFor();
    const { json } = await admin(suite.service, ["GET", "/accounts"]);
    assert.match(JSON.stringify(json), /000000000077/);
    const as = await withNewKey(suite.service, { account: await newAccount(suite.service) });
    const other = await suite.open(t, { as });
    await other.getByRole("link", { name: "Access" }).click();
    await other.getByText(as.firstKey.key.accessKeyId).waitFor();
    assert.equal(await other.getByText("New account").count(), 0);
    await other.getByRole("link", { name: "Audit log" }).click();
    await other.getByText("access keys without a policy of the first account").waitFor();
    const limited = await withNewKey(suite.service, { policy: policyOf({ Action: "*" }) });
    const third = await suite.open(t, { as: limited });
    await third.getByRole("link", { name: "Access" }).click();
    await third.getByText("managed with one that has no policy").waitFor();
    await assertAccessible(third);
  });

  test("says who did what, where an audit log is kept", async (t) => {
    const page = await suite.open(t);
    await page.goto(`${suite.service.endpoint}/console#/access/audit`);
    await page.getByText("varve serve --audit FILE").waitFor();
    const path = join(await temporaryDirectory(t), "audit.ndjson");
    const consoleFiles = await builtConsole(t);
    const service = await startService(t, { consoleFiles, audit: { path } });
    await newAccount(service);
    await admin(service, ["DELETE", "/keys/AKIAUNKNOWNUNKNOWN22"]);
    const audited = await openPage(t, { browser: suite.browser, service });
    await signIn(audited, service);
    await audited.goto(`${service.endpoint}/console#/access/audit`);
    const row = (text: string) => audited.getByRole("row").filter({ hasText: text });
    await row("varve:CreateAccount").getByText("done").waitFor();
    await row("varve:DeleteAccessKey").getByText("refused").waitFor();
    const deleting = await row("varve:DeleteAccessKey").innerText();
    assert.match(deleting, /AKIAUNKNOWNUNKNOWN22.*127\.0\.0\.1.*404 NoSuchEntityException/s);
    assert.equal(await row("ec2:DescribeSnapshots").count(), 0);
    await audited.getByLabel("Also what only looks").check();
    await row("ec2:DescribeSnapshots").first().waitFor();
    await audited.getByLabel("Search").fill("createaccount");
    await audited.getByText(/^1 of \d+ entries/).waitFor();
    await assertAccessible(audited);
  });
});
