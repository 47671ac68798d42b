import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { AccountId } from "../model/ids.ts";
import type { Catalog } from "./catalog.ts";

type Open = (
  t: TestContext,
) => Promise<{ readonly catalog: Catalog; readonly reopen: () => Promise<Catalog> }>;

const OTHER = "444455556666" as AccountId;

/** How every catalog begins, whoever else begins at the same time. */
export function beginningSuite(name: string, open: Open): void {
  test(`${name} begins once, with one account and one key, whoever else begins`, async (t) => {
    const { catalog, reopen } = await open(t);
    const { identity } = catalog;
    const proposals = Array.from({ length: 8 }, (_, i) => {
      const account = `11112222333${i}` as AccountId;
      const key = { accessKeyId: `KEY${i}`, secretAccessKey: "secret", policy: undefined };
      return { ...key, account, active: true, createdAtMs: i };
    });
    await Promise.all(proposals.map((key) => identity.begin(key.account, key)));
    const [account, ...others] = await identity.accounts();
    assert.ok(account !== undefined);
    assert.deepEqual(others, []);
    const [key, ...more] = await identity.accessKeys(account);
    assert.ok(key !== undefined);
    assert.deepEqual(more, []);
    // Another key is needed only where none is active and without a policy.
    const spare = { ...key, accessKeyId: "SPARE", account: OTHER };
    await identity.begin(OTHER, spare);
    await identity.begin(OTHER, undefined);
    assert.deepEqual(await identity.accounts(), [account]);
    assert.equal(await identity.accessKey("SPARE"), undefined);
    await identity.putAccessKey({ ...key, policy: "{}" });
    await identity.begin(OTHER, spare);
    assert.deepEqual(await (await reopen()).identity.accessKey("SPARE"), { ...spare, account });
  });
}
