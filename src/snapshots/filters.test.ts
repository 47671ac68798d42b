import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tag } from "../model/snapshot.ts";
import { filterMatcher } from "./filters.ts";

const FIELDS = { text: (text: string) => [text] };
const noTags = (): readonly Tag[] => [];

function matcherOf(...Values: string[]) {
  return filterMatcher<string>(FIELDS, [{ Name: "text", Values }], noTags);
}

/** How often others got their turn while so many texts were looked at, and how many fit. */
async function lookAt(matches: ReturnType<typeof matcherOf>, texts: readonly string[]) {
  const answers = texts.map((text) => matches(text));
  const turns = answers.filter((answer) => typeof answer !== "boolean").length;
  return { turns, fit: (await Promise.all(answers)).filter(Boolean).length };
}

test("filterMatcher lets others have their turn where there is much to compare", async () => {
  const texts = Array.from({ length: 1_000 }, (_, i) => `${i % 2}${"a".repeat(254)}`);
  const plain = await lookAt(matcherOf(texts[1] ?? ""), texts);
  assert.deepEqual(plain, { turns: 0, fit: 500 });
  const hostile = Array.from({ length: 32 }, () => `*${"a?".repeat(126)}b*`);
  const { turns, fit } = await lookAt(matcherOf("1*", ...hostile), texts);
  assert.ok(turns >= 400, `others got ${turns} turns`);
  assert.equal(fit, 500);
});

test("filterMatcher finds a plain value without comparing each", async () => {
  const texts = Array.from({ length: 50_000 }, (_, i) => `text ${i}`);
  const values = Array.from({ length: 199 }, (_, i) => `other ${i}`);
  const one = await lookAt(matcherOf("text 7"), texts);
  assert.deepEqual(await lookAt(matcherOf("text 7", ...values), texts), one);
  assert.deepEqual(one, { turns: 2, fit: 1 });
});

test("filterMatcher takes a plain value for what it stands for", async () => {
  for (const [value, text] of [
    ["a\\*b", "a*b"],
    ["\\\\", "\\"],
    ["", ""],
    ["a\\b", "ab"],
  ] as const) {
    assert.equal(await matcherOf(value)(text), true, value);
    assert.equal(await matcherOf(value)(`${text}x`), false, value);
  }
});
