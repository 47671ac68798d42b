import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "..");
const CLASSES = 32;

test("each class of bugs names tests that exist, or says why it cannot happen", async () => {
  const page = await readFile(join(ROOT, "docs/bug-classes.md"), "utf8");
  const scorecard = await readFile(join(ROOT, "docs/reliability.md"), "utf8");
  const rows = [...page.matchAll(/^\| (\d+) \| (.+) \| (.+) \|$/gm)];
  assert.deepEqual(
    rows.map(([, number]) => Number(number)),
    Array.from({ length: CLASSES }, (_, i) => i + 1),
  );
  for (const [, number, , answer = ""] of rows) {
    const paths = [...answer.matchAll(/`((?:src|test)\/[^`]+)`/g)].map(([, path = ""]) => path);
    for (const path of paths) assert.ok(existsSync(join(ROOT, path)), `${number}: ${path}`);
    const numbers = [...answer.matchAll(/[Ss]corecards? (\d+)/g)].map(([, each]) => Number(each));
    const isReasoned = answer.includes("annot happen");
    assert.ok(paths.length + numbers.length > 0 || isReasoned, `${number} names nothing`);
    for (const each of numbers) {
      const file = `test/deep/${String(each).padStart(2, "0")}-`;
      assert.ok(page.includes(file) || scorecard.includes(`| ${each} |`), `${number}: ${each}`);
    }
  }
});
