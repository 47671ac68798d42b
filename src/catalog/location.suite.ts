import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { recordNameFromBytes } from "../model/digest.ts";
import type { AccountId } from "../model/ids.ts";
import type { Catalog } from "./catalog.ts";

interface Subject {
  readonly open: (t: TestContext) => Promise<{ readonly catalog: Catalog }>;
  readonly accounts: readonly [AccountId, AccountId];
}

const STORED_COUNT = 300;

/** What every `Catalog` must answer that is asked where many records lie. */
export function locationSuite(name: string, { open, accounts: [account, other] }: Subject): void {
  test(`${name} locates many records as it does one`, async (t) => {
    const { catalog } = await open(t);
    const { blocks } = catalog;
    assert.deepEqual(await blocks.locateAll(account, []), []);
    const numbers = Array.from({ length: STORED_COUNT }, (_, i) => i);
    const locations = numbers.map((n) => {
      return { domain: account, name: nameOf(n), replaces: false, ...placeOf(n) };
    });
    await blocks.commit(locations, []);
    for (const count of [1, 2, 63, 64, 65, STORED_COUNT]) {
      // In no order, one of them twice, one not stored.
      const asked = [...numbers.slice(0, count).reverse(), 0, STORED_COUNT].map(nameOf);
      const found = await blocks.locateAll(account, asked);
      const expected = numbers.slice(0, count).reverse().map(placeOf);
      assert.deepEqual(
        found.map((place) => place && { ...place }),
        [...expected, placeOf(0), undefined],
      );
      assert.deepEqual(
        await blocks.locateAll(other, asked),
        asked.map(() => undefined),
      );
    }
  });
}

function nameOf(n: number) {
  return recordNameFromBytes(Buffer.alloc(32, Buffer.of(n >> 8, n & 255)));
}

function placeOf(n: number) {
  return { segment: 1, offset: 100 * n, length: 100 };
}
