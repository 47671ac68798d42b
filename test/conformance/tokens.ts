import { brief, jsonOf } from "./_caller.ts";
import { Group } from "./_check.ts";
import type { Context } from "./_context.ts";
import { fits, holds, same } from "./_expect.ts";
import { invalid } from "./_refusal.ts";
import { blockTokenOf, nextTokenOf, pageTokenOf } from "./_tokens.ts";

/* What a token allows, how it looks, and how long it lives. */

const group = new Group("2.4 tokens and ExpiryTime");
/** The checks of this file. */
export const tokens = group;

const ALPHABET = "token alphabet";
const SHAPE = /^[A-Za-z0-9+/=_-]{1,256}$/;
const MODELLED = /^[A-Za-z0-9+/=]{1,256}$/;

const changedToken = async (c: Context) => {
  const answer = await c.caller.changed(c.id("paged"), c.id("pagedChild"), { maxResults: 100 });
  return nextTokenOf(jsonOf(answer, 200));
};
const badBlock = (token: string) => `The block token ${token} is invalid.`;
const badPage = (token: string) => `The pagination token ${token} is invalid.`;

group.check("2.4/block.shape", "A block token fits the service's pattern.", async (c) =>
  fits(await blockTokenOf(c, "root", 0), SHAPE),
);
group.check("2.4/page.shape", "So does a page token.", async (c) =>
  fits(await pageTokenOf(c, "paged"), SHAPE),
);
group
  .check("2.4/block.alphabet", "A block token is 95 characters of base64url.", async (c) =>
    fits(await blockTokenOf(c, "root", 0), /^[A-Za-z0-9_-]{95}$/),
  )
  .or(ALPHABET, async (c) => fits(await blockTokenOf(c, "root", 0), MODELLED));
group
  .check("2.4/page.alphabet", "A page token of a listing is 95 characters of it.", async (c) =>
    fits(await pageTokenOf(c, "paged"), /^[A-Za-z0-9_-]{95}$/),
  )
  .or(ALPHABET, async (c) => fits(await pageTokenOf(c, "paged"), MODELLED));
group
  .check("2.4/changed.alphabet", "One of changed blocks is 111 characters of it.", async (c) =>
    fits(await changedToken(c), /^[A-Za-z0-9_-]{111}$/),
  )
  .or("ListChangedBlocks, MaxResults", async (c) => {
    const pair = [c.id("paged"), c.id("pagedChild")] as const;
    same(jsonOf(await c.caller.changed(...pair, { maxResults: 100 }), 200)["NextToken"], null);
  });
group.check("2.4/new-strings", "Listing again mints new strings.", async (c) => {
  const [one, two] = [await blockTokenOf(c, "root", 0), await blockTokenOf(c, "root", 0)];
  holds(one !== two, "the same token twice", "another token");
});
group.check("2.4/old-valid", "Old ones stay valid.", async (c) => {
  const token = await blockTokenOf(c, "root", 0);
  await blockTokenOf(c, "root", 0);
  same(String((await c.caller.get(c.id("root"), 0, token)).status), "200");
});
group.check("2.4/block-twice", "A block token can be used more than once.", async (c) => {
  const token = await blockTokenOf(c, "root", 0);
  for (let i = 0; i < 2; i++) {
    same(String((await c.caller.get(c.id("root"), 0, token)).status), "200");
  }
});
for (const [what, blockIndex] of [
  ["written", 1],
  ["unwritten", 9],
  ["beyond the volume", 4096],
] as const) {
  group.check(`2.4/index ${what}`, `A block token fails for another index, ${what}.`, async (c) => {
    const token = await blockTokenOf(c, "root", 0);
    const answer = await c.caller.get(c.id("root"), blockIndex, token);
    invalid(answer, "INVALID_BLOCK_TOKEN", badBlock(token));
  });
}
for (const [what, from, to] of [
  ["the parent's token on the child", "root", "child"],
  ["the child's token on the parent", "child", "root"],
  ["a stranger's token", "other", "root"],
] as const) {
  group.check(`2.4/${what}`, `For the same index, ${what} fails.`, async (c) => {
    const token = await blockTokenOf(c, from, 0);
    const answer = await c.caller.get(c.id(to), 0, token);
    invalid(answer, "INVALID_BLOCK_TOKEN", badBlock(token));
  });
}
group.check("2.4/tampered", "A token changed in one character fails.", async (c) => {
  const token = await blockTokenOf(c, "root", 0);
  const changed = token.slice(0, 40) + (token[40] === "A" ? "B" : "A") + token.slice(41);
  const answer = await c.caller.get(c.id("root"), 0, changed);
  invalid(answer, "INVALID_BLOCK_TOKEN", badBlock(changed));
});
group.check("2.4/page-as-block", "A page token is no block token.", async (c) => {
  const token = await pageTokenOf(c, "paged");
  const answer = await c.caller.get(c.id("paged"), 100, token);
  invalid(answer, "INVALID_BLOCK_TOKEN", badBlock(token));
});
group.check("2.4/block-as-page", "A block token is no page token.", async (c) => {
  const token = await blockTokenOf(c, "paged", 100);
  const answer = await c.caller.list(c.id("paged"), { pageToken: token });
  invalid(answer, "INVALID_PAGE_TOKEN", badPage(token));
});
group.check("2.4/page-elsewhere", "A page token fails on another snapshot.", async (c) => {
  const token = await pageTokenOf(c, "paged");
  const answer = await c.caller.list(c.id("pagedChild"), { pageToken: token });
  invalid(answer, "INVALID_PAGE_TOKEN", badPage(token));
});
group.check("2.4/list-as-changed", "A listing's token is none of changed blocks.", async (c) => {
  const token = await pageTokenOf(c, "paged");
  const pair = [c.id("paged"), c.id("pagedChild")] as const;
  invalid(
    await c.caller.changed(...pair, { pageToken: token }),
    "INVALID_PAGE_TOKEN",
    badPage(token),
  );
});
group
  .check("2.4/changed-as-list", "Nor the other way round.", async (c) => {
    const token = await changedToken(c);
    const answer = await c.caller.list(c.id("paged"), { pageToken: token });
    invalid(answer, "INVALID_PAGE_TOKEN", badPage(token));
  })
  .or("ListChangedBlocks, MaxResults", async (c) => {
    const answer = await c.caller.changed(c.id("paged"), c.id("pagedChild"), { maxResults: 100 });
    same(jsonOf(answer, 200)["NextToken"], null);
  });

const expiry = async (c: Context) => {
  const answer = await c.caller.list(c.id("root"));
  const seconds = Number(jsonOf(answer, 200)["ExpiryTime"]);
  return { seconds, ahead: seconds - answer.atMs / 1000 };
};
group.check("2.4/expiry.range", "ExpiryTime is 150 to 173 hours ahead.", async (c) => {
  const { ahead } = await expiry(c);
  holds(ahead > 150 * 3600 - 60 && ahead < 173 * 3600, `${ahead / 3600} h`, "150 to 173 h");
});
group.check("2.4/expiry.minutes", "It is now and a whole number of minutes.", async (c) => {
  const { ahead } = await expiry(c);
  const rest = Math.abs(ahead / 60 - Math.round(ahead / 60)) * 60;
  holds(rest < 3, `${rest} s off`, "whole minutes");
});
group.check("2.4/max-length", "A token of 256 characters reaches the service.", async (c) => {
  const token = "A".repeat(256);
  fits(brief(await c.caller.get(c.id("root"), 0, token)), /INVALID_BLOCK_TOKEN/);
});
group.check("2.4/url-alphabet", "A token of base64url reaches the service.", async (c) =>
  invalid(await c.caller.get(c.id("root"), 0, "a-b_c"), "INVALID_BLOCK_TOKEN", badBlock("a-b_c")),
);
group.skip("2.4/page.hour", "A page token lives for 60 minutes.", "needs an hour");
group.skip("2.4/block.week", "A block token lives until ExpiryTime.", "needs a week");
