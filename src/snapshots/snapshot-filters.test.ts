import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns } from "../../test/support/property.ts";
import { ServiceError } from "../model/errors.ts";
import type { AccountId, SnapshotId } from "../model/ids.ts";
import type { Snapshot, Tag } from "../model/snapshot.ts";
import { encodeManifest, MANIFEST_FORMAT_VERSION } from "./manifest.ts";
import { snapshotMatcher, unknownFilters } from "./snapshot-filters.ts";
import { checkTags, mergeTags, withoutTags } from "./tags.ts";

const SNAPSHOT: Snapshot = {
  id: "snap-0123" as SnapshotId,
  account: "111122223333" as AccountId,
  domain: "111122223333" as AccountId,
  state: "completed",
  stateMessage: undefined,
  parent: undefined,
  lineage: "snap-0123" as SnapshotId,
  volumeSizeGib: 8,
  description: "nightly (db.1)",
  tags: [
    { Key: "env", Value: "prod" },
    { Key: "team", Value: "" },
  ],
  startTimeMs: 1_700_000_000_000,
  completionTimeMs: 1_700_000_060_000,
  timeoutMinutes: 60,
  expiresAtMs: 1_700_003_600_000,
  parentRoot: undefined,
  parentBlockCount: 0,
  root: undefined,
  blockCount: 3,
  writtenBlockCount: 3,
  manifest: undefined,
  completion: { changedBlocksCount: 3, linearDigest: undefined },
};

for (const [name, value, other] of [
  ["snapshot-id", "snap-0123", "snap-012"],
  ["status", "completed", "pending"],
  ["description", "nightly (db.1)", "nightly (dbx1)"],
  ["owner-id", "111122223333", "11112222333"],
  ["progress", "100%", "0%"],
  ["start-time", "2023-11-14T22:13:20.000Z", "2023-11-14"],
  ["volume-size", "8", "80"],
  ["volume-id", "vol-ffffffff", "vol-1"],
  ["encrypted", "false", "true"],
  ["storage-tier", "standard", "archive"],
  ["transfer-type", "standard", "time-based"],
  ["full-snapshot-size-in-bytes", "1572864", "3"],
  ["tag-key", "team", "prod"],
  ["tag-value", "prod", "env"],
  ["tag:env", "prod", "dev"],
  ["tag:team", "", "x"],
] as const) {
  test(`snapshotMatcher matches ${name} by its whole text, or any of several`, () => {
    assert.deepEqual(unknownFilters([{ Name: name, Values: [] }]), []);
    assert.equal(matches(name, value), true);
    assert.equal(matches(name, other), false);
    assert.equal(matches(name, other, value), true);
    assert.equal(matches(name), false);
  });
}

test("snapshotMatcher shows a sealing snapshot as pending", () => {
  const matcher = snapshotMatcher([{ Name: "status", Values: ["pending"] }]);
  assert.ok(matcher({ ...SNAPSHOT, state: "sealing" }));
});

test("snapshotMatcher wants every filter to match, and matches all without one", () => {
  const status = { Name: "status", Values: ["completed"] };
  assert.ok(snapshotMatcher([])(SNAPSHOT));
  assert.ok(snapshotMatcher([status, { Name: "tag:env", Values: ["prod"] }])(SNAPSHOT));
  assert.ok(!snapshotMatcher([status, { Name: "tag:env", Values: ["dev"] }])(SNAPSHOT));
  assert.ok(!snapshotMatcher([{ Name: "tag:none", Values: ["*"] }])(SNAPSHOT));
});

test("snapshotMatcher takes *, ? and \\ for what a naive matcher does", (t) => {
  const text = fc.string({ unit: fc.constantFrom(..."ab.*\n\\"), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom(..."ab.*?\\"), maxLength: 6 });
  const property = fc.property(text, pattern, (description, value) => {
    const matcher = snapshotMatcher([{ Name: "description", Values: [value] }]);
    assert.equal(matcher({ ...SNAPSHOT, description }), naivelyMatches(description, value));
  });
  fc.assert(property, propertyRuns(t, 2_000));
});

test("snapshotMatcher answers fast whatever the pattern", () => {
  const description = "a".repeat(255);
  const startedMs = performance.now();
  for (const value of ["*a".repeat(12), `${"a*".repeat(100)}b`, `${"*a?".repeat(60)}*b`]) {
    const matcher = snapshotMatcher([{ Name: "description", Values: [`${value}c`] }]);
    assert.equal(matcher({ ...SNAPSHOT, description }), false);
    assert.ok(performance.now() - startedMs < 1_000, `${value} took too long`);
  }
});

test("unknownFilters names the filters that mean nothing, those of Object among them", () => {
  const names = ["status", "tag:x", "nothing", "constructor", "__proto__", "Status"];
  const unknown = unknownFilters(names.map((Name) => ({ Name, Values: [] })));
  assert.deepEqual(unknown, ["nothing", "constructor", "__proto__", "Status"]);
});

test("checkTags refuses tags no snapshot may carry", () => {
  const tags = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ Key: `k${i}`, Value: "" }));
  checkTags([]);
  checkTags(tags(50));
  const refused: [readonly Tag[], RegExp][] = [
    [tags(51), /more than the 50 tags/],
    [[{ Key: "", Value: "" }], /0 characters; it may have 1 to 127/],
    [[{ Key: "k".repeat(128), Value: "" }], /128 characters; it may have 1 to 127/],
    [[{ Key: "k", Value: "v".repeat(256) }], /256 characters; it may have at most 255/],
    [[{ Key: "aws:x", Value: "" }], /reserved/],
    [[{ Key: "AWS:x", Value: "" }], /reserved/],
    [[...tags(3), { Key: "k1", Value: "other" }], /'k1' is given twice/],
  ];
  for (const [wrong, message] of refused) {
    assert.throws(
      () => checkTags(wrong),
      (error: unknown) => {
        assert.ok(error instanceof ServiceError);
        assert.equal(error.reason, "INVALID_TAG");
        assert.match(error.message, message);
        return true;
      },
    );
  }
  checkTags([
    { Key: "a", Value: "" },
    { Key: "A", Value: "" },
    { Key: "xaws:", Value: "" },
  ]);
});

test("mergeTags lays tags over others, in order of key", () => {
  const tags = [tag("b", "1"), tag("a", "1")];
  const merged = mergeTags(tags, [tag("c", "2"), tag("b", "2")]);
  assert.deepEqual(merged, [tag("a", "1"), tag("b", "2"), tag("c", "2")]);
  assert.deepEqual(tags, [tag("b", "1"), tag("a", "1")], "the tags given stay as they are");
  assert.deepEqual(mergeTags([], [tag("__proto__", "x")]), [tag("__proto__", "x")]);
});

test("withoutTags takes tags away by key, or by key and value", () => {
  const tags = [tag("a", "1"), tag("b", ""), tag("c", "3")];
  const left = (...patterns: { Key: string; Value: string | undefined }[]) =>
    withoutTags(tags, patterns).map(({ Key }) => Key);
  assert.deepEqual(left(), ["a", "b", "c"]);
  assert.deepEqual(left({ Key: "a", Value: undefined }), ["b", "c"]);
  assert.deepEqual(left({ Key: "a", Value: "2" }), ["a", "b", "c"]);
  assert.deepEqual(left({ Key: "a", Value: "1" }, { Key: "b", Value: "" }), ["c"]);
  assert.deepEqual(left({ Key: "c", Value: "" }), ["a", "b", "c"]);
});

test("encodeManifest keeps what survives completion, and nothing else", () => {
  const manifest = JSON.parse(Buffer.from(encodeManifest(SNAPSHOT)).toString());
  assert.deepEqual(manifest, {
    version: MANIFEST_FORMAT_VERSION,
    id: "snap-0123",
    account: "111122223333",
    lineage: "snap-0123",
    volumeSizeGib: 8,
    description: "nightly (db.1)",
    tags: SNAPSHOT.tags,
    startTimeMs: 1_700_000_000_000,
    completionTimeMs: 1_700_000_060_000,
    timeoutMinutes: 60,
    blockCount: 3,
    writtenBlockCount: 3,
  });
  const pending = { state: "sealing", expiresAtMs: 1, parentBlockCount: 9 } as const;
  assert.deepEqual(encodeManifest({ ...SNAPSHOT, ...pending }), encodeManifest(SNAPSHOT));
});

function matches(Name: string, ...Values: string[]) {
  return snapshotMatcher([{ Name, Values }])(SNAPSHOT);
}

function naivelyMatches(text: string, pattern: string): boolean {
  if (pattern === "") return text === "";
  const rest = pattern.slice(1);
  if (pattern[0] === "*") {
    return Array.from({ length: text.length + 1 }, (_, i) => i).some((i) =>
      naivelyMatches(text.slice(i), rest),
    );
  }
  if (text === "") return false;
  if (pattern[0] === "\\" && rest !== "") {
    return rest[0] === text[0] && naivelyMatches(text.slice(1), rest.slice(1));
  }
  return (pattern[0] === "?" || pattern[0] === text[0]) && naivelyMatches(text.slice(1), rest);
}

function tag(Key: string, Value: string): Tag {
  return { Key, Value };
}
