import assert from "node:assert/strict";
import { test } from "node:test";
import { oneSecret } from "../../../test/support/secrets.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import { systemRandom } from "../../base/random.ts";
import { PAGE_TOKEN_LIFETIME_SECONDS } from "../../model/limits.ts";
import { cutList, mintListToken, openListToken } from "./list-tokens.ts";
import { Tokens } from "./tokens.ts";

const LISTING = ["111122223333", "DescribeSnapshots"];

test("openListToken answers the id of a token of the same listing, and of no other", () => {
  const { tokens } = setUp();
  const token = mintListToken(tokens, LISTING, "snap-01");
  assert.equal(openListToken(tokens, LISTING, token), "snap-01");
  for (const listing of [["444455556666", "DescribeSnapshots"], ["111122223333"], []]) {
    assert.equal(openListToken(tokens, listing, token), undefined);
  }
  assert.equal(openListToken(setUp().tokens, LISTING, token), undefined, "of another store");
});

test("openListToken refuses whatever was changed or made up", () => {
  const { tokens } = setUp();
  const token = mintListToken(tokens, LISTING, "snap-01");
  const [name, tag] = token.split(".") as [string, string];
  const forged = `${Buffer.from("snap-02").toString("base64url")}.${tag}`;
  const texts = ["", ".", "snap-01", name, `${name}.`, `.${tag}`, `${token}.`, `${name}=.${tag}`];
  for (const text of [forged, `${token}A`, ` ${token}`, token.slice(1), "é", ...texts]) {
    assert.equal(openListToken(tokens, LISTING, text), undefined, JSON.stringify(text));
  }
});

test("openListToken opens a token as long as page tokens live", () => {
  const { tokens, time } = setUp();
  const token = mintListToken(tokens, LISTING, "snap-01");
  time.nowMs += PAGE_TOKEN_LIFETIME_SECONDS * 1_000 - 1;
  assert.equal(openListToken(tokens, LISTING, token), "snap-01");
  time.nowMs += 1;
  assert.equal(openListToken(tokens, LISTING, token), undefined);
});

test("cutList cuts a page after an id and says whether there is more", () => {
  const idOf = (text: string) => text;
  const cut = (afterId: string, limit: number) =>
    cutList(["a", "b", "c"], { idOf, afterId, limit });
  assert.deepEqual(cut("", 2), { entries: ["a", "b"], hasMore: true });
  assert.deepEqual(cut("b", 2), { entries: ["c"], hasMore: false });
  assert.deepEqual(cut("", Infinity), { entries: ["a", "b", "c"], hasMore: false });
  assert.deepEqual(cut("c", 1), { entries: [], hasMore: false });
});

function setUp() {
  const time = { nowMs: 1_700_000_000_000 };
  const clock: Clock = { ...systemClock, nowMs: () => time.nowMs };
  return { tokens: new Tokens(oneSecret(), clock, systemRandom), time };
}
