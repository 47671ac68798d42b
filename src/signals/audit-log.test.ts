import assert from "node:assert/strict";
import { appendFile, readFile, rename, truncate } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import type { AuditEntry } from "../wire/admin/audit.ts";
import { AuditLog } from "./audit-log.ts";

function entry(number: number, fields: Partial<AuditEntry> = {}): AuditEntry {
  return {
    ...{ Time: "2026-01-01T00:00:00.000Z", RequestId: `request-${number}`, Service: "ebs" },
    ...{ Action: "StartSnapshot", IsData: false, AccountId: null, AccessKeyId: null, Arn: null },
    ...{ SourceIp: null, Resources: [], Outcome: "Done", Status: 201, ErrorCode: null },
    ...fields,
  };
}

test("a page holds the latest entries, however long the lines are", async (t) => {
  const path = join(await temporaryDirectory(t), "audit");
  const log = await AuditLog.open({ path, withData: false, onChange: () => undefined });
  t.after(() => log.close());
  // Lines of all lengths, so that they lie across the pieces in which the file is read.
  const count = 300;
  await Promise.all(
    Array.from({ length: count }, (_, i) => log.note(entry(i, { Arn: "x".repeat(i * 7) }))),
  );
  const numbers: string[] = [];
  let token: string | undefined;
  do {
    const page = await log.page(token, 37);
    numbers.push(...page.Entries.map(({ RequestId }) => RequestId));
    token = page.NextToken ?? undefined;
  } while (token !== undefined);
  const expected = Array.from({ length: count }, (_, i) => `request-${count - 1 - i}`);
  assert.deepEqual(numbers, expected);
});

test("an empty log has an empty page, as one shorter than the token says has", async (t) => {
  const path = join(await temporaryDirectory(t), "audit");
  const log = await AuditLog.open({ path, withData: false, onChange: () => undefined });
  t.after(() => log.close());
  const empty = { IsKept: true, Entries: [], NextToken: null };
  assert.deepEqual(await log.page(undefined), empty);
  await log.note(entry(1));
  await truncate(path, 0);
  assert.deepEqual(await log.page("200"), empty);
});

test("entries that arrive together are all there, in order", async (t) => {
  const path = join(await temporaryDirectory(t), "audit");
  await appendFile(path, `${JSON.stringify(entry(0))}\n`);
  const log = await AuditLog.open({ path, withData: true, onChange: () => undefined });
  t.after(() => log.close());
  const notes = [1, 2, 3].map((number) => log.note(entry(number, { IsData: number === 2 })));
  await Promise.all(notes);
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  const found = lines.map((line) => (JSON.parse(line) as AuditEntry).RequestId);
  assert.deepEqual(found, ["request-0", "request-1", "request-2", "request-3"]);
});

test("a renamed log is left between two writes, however many go on being noted", async (t) => {
  const path = join(await temporaryDirectory(t), "audit");
  const log = await AuditLog.open({ path, withData: true, onChange: () => undefined });
  t.after(() => log.close());
  let [noted, isLeft] = [0, false];
  const writers = Array.from({ length: 4 }, async () => {
    while (!isLeft && noted < 2_000) await log.note(entry(noted++));
  });
  await rename(path, `${path}.1`);
  await log.reopen();
  isLeft = true;
  assert.ok(noted < 2_000, "it is left while there is more to note");
  await Promise.all(writers);
  const files = await Promise.all([path, `${path}.1`].map((each) => readFile(each, "utf8")));
  assert.equal(files.join("").trimEnd().split("\n").length, noted);
});
