import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createClient, getEncryptionDefaults, snapshotsOf } from "../../src/client/index.ts";
import { newAccount, withNewKey } from "../support/keys.ts";
import { actionParts, describeSnapshot, send } from "../support/operations.ts";
import { sdkOptions } from "../support/service.ts";
import { assertAccessible, assertFits, consoleSuite, PHONE, SKIP } from "./_browser.ts";

describe("the screen of settings", { skip: SKIP }, () => {
  const suite = consoleSuite({ recycleBinDays: 7, emulation: { quotas: true, seed: 5 } });

  test("says how the service was started, and what changes that", async (t) => {
    const page = await suite.open(t, { ...PHONE, colorScheme: "dark" });
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByRole("link", { name: "Service" }).click();
    const row = (name: string) => page.getByRole("row").filter({ hasText: name });
    assert.match(await row("Recycle bin").innerText(), /7 days\s+--recycle-bin-days/);
    assert.match(await row("Region").innerText(), /us-east-1\s+--region/);
    assert.match(await row("Emulation").innerText(), /quotas, seed 5\s+--emulate/);
    await page.getByText("AWS's quotas are emulated").waitFor();
    assert.match(await row("Largest volume").innerText(), /65,536 GiB/);
    await assertFits(page);
    await assertAccessible(page);
    const as = await withNewKey(suite.service, { account: await newAccount(suite.service) });
    const other = await suite.open(t, { as });
    await other.goto(`${suite.service.endpoint}/console#/settings/service`);
    await other.getByText("of the account that manages the store").waitFor();
  });

  test("changes how the account encrypts by default", async (t) => {
    const client = createClient(sdkOptions(suite.service));
    t.after(() => client.close());
    const page = await suite.open(t);
    await page.goto(`${suite.service.endpoint}/console#/settings/account`);
    await page.getByText("are encrypted where a request says so").waitFor();
    await assertAccessible(page);
    await page.getByRole("button", { name: "Encrypt by default" }).click();
    await page.getByText("also where a request does not say so").waitFor();
    assert.equal((await getEncryptionDefaults(client)).isByDefault, true);
    await page.getByRole("button", { name: "Do not encrypt by default" }).click();
    await page.getByText("are encrypted where a request says so").waitFor();
    await page.getByRole("button", { name: "Default key …" }).click();
    await page.getByRole("dialog").getByRole("textbox").fill("no-such-key");
    await page.getByRole("button", { name: "Set default key" }).click();
    await page.getByRole("alert").waitFor();
    assert.equal((await getEncryptionDefaults(client)).keyId, "alias/aws/ebs");
  });

  test("shows what keep rules delete and why, deletes just that, and brings back", async (t) => {
    const { service, history } = suite;
    const client = createClient(sdkOptions(service));
    t.after(() => client.close());
    const idsLeft = async () => {
      const found: string[] = [];
      for await (const { SnapshotId } of snapshotsOf(client, { OwnerIds: ["self"] })) {
        found.push(SnapshotId);
      }
      return found;
    };
    const lock = { SnapshotId: history.monday, LockMode: "governance", LockDuration: "1" };
    await send(service, actionParts("LockSnapshot", lock), { service: "ec2" });
    const page = await suite.open(t);
    await page.getByRole("link", { name: "Settings" }).click();
    const fill = async (counts: Record<string, string>) => {
      for (const [name, count] of Object.entries(counts)) await page.getByLabel(name).fill(count);
      await page.getByRole("button", { name: "Simulate" }).click();
    };
    const none = { Latest: "0", Hourly: "0", Daily: "0", Weekly: "0", Monthly: "0", Yearly: "0" };
    await fill(none);
    await page.getByRole("alert").getByText("These rules keep nothing").waitFor();
    await page.getByLabel("Tag that keeps").fill("Environment=test");
    await fill({ Latest: "1", Daily: "2" });
    // Of the lineage: Sunday's and Saturday's, three of the branch; held: Monday's. The encrypted
    // one is the only one of its lineage; those pending and in error are held, too.
    await page.getByText("6 kept, 4 to delete, 3 held").waitFor();
    const row = (id: string) => page.getByRole("row").filter({ hasText: id });
    assert.match(await row(history.sunday).innerText(), /kept\s+last 1, daily \d{4}/);
    assert.match(await row(history.branch).innerText(), /kept\s+tag Environment=test/);
    assert.match(await row(history.monday).innerText(), /held\s+lock governance/);
    assert.match(await row(history.tuesday).innerText(), /to delete\s+no rule keeps it/);
    await page
      .getByText("varve prune --keep-last 1 --keep-daily 2 --keep-tag Environment=test --dry-run")
      .waitFor();
    await assertAccessible(page);
    const before = await idsLeft();
    await page.getByRole("button", { name: "Delete 4 snapshots …" }).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    assert.deepEqual(await idsLeft(), before);
    await page.getByRole("button", { name: "Delete 4 snapshots …" }).click();
    await page.getByRole("button", { name: "Delete 4 snapshots", exact: true }).click();
    await page.getByText("6 kept, 0 to delete, 3 held").waitFor();
    const gone = [history.tuesday, history.wednesday, history.thursday, history.friday];
    assert.deepEqual((await idsLeft()).sort(), before.filter((id) => !gone.includes(id)).sort());

    await page.getByRole("link", { name: "Account", exact: true }).click();
    await page.getByRole("button", { name: `Restore ${history.tuesday}` }).click();
    await page.getByText(`${history.tuesday} is back`).waitFor();
    assert.equal((await describeSnapshot(service, history.tuesday))["status"], "completed");
    await assertAccessible(page);
  });
});
