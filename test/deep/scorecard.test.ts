import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/* `npm run deep` itself, on a scorecard of four: what was not run must not pass for run. */

const DEEP = join(import.meta.dirname, "../../scripts/deep.ts");
const SCORECARD = join(import.meta.dirname, "scorecard.ts");

const TESTS = {
  "01-passes.test.ts": `run: async () => "reached"`,
  "02-skipped.test.ts": `skip: () => "no compiler", run: async () => "never"`,
  "03-fails.test.ts": `run: async () => { throw new Error("lost | one") }`,
  "04-ends.test.ts": `run: async () => process.exit(1)`,
};

const PAGE = `before
<!-- scorecard begins -->

| # | test | figure reached | goal | best peer |
| --- | --- | --- | --- | --- |
| 1 | n | earlier 1 | g | p |
| 2 | n | earlier 2 | g | p |
| 3 | n | earlier 3 | g | p |
| 4 | n | earlier 4 | g | p |

<!-- scorecard ends -->
after
`;

test("what is skipped, fails or ends without a figure is told, and ends badly", async (t) => {
  const { folder, page, deep } = await setUp(t);
  const { status, stdout, stderr } = deep("--table", page);
  assert.notEqual(status, 0);
  assert.match(stdout, /^\| 1 \| n \| reached \| g \| p \|$/m);
  assert.match(stdout, /^\| 2 \| n \| skipped: no compiler \| g \| p \|$/m);
  assert.match(stdout, /^\| 3 \| n \| failed: lost \\\| one \| g \| p \|$/m);
  assert.match(stderr, /^varve: scorecard 2 skipped: no compiler: .* of an earlier run$/m);
  assert.match(stderr, /^varve: scorecard 3 failed: lost \| one$/m);
  assert.match(stderr, /^varve: scorecard 4 ended without a figure; see above$/m);
  assert.doesNotMatch(stderr, /scorecard 1/);
  const rows = (await readFile(join(folder, "page.md"), "utf8")).match(/^\| \d .*$/gm);
  assert.deepEqual(
    rows?.map((row) => row.split(" | ")[2]),
    ["reached", "earlier 2", "failed: lost \\| one", "earlier 4"],
    "a skip leaves the page's row, a failure does not",
  );
});

test("a skip alone ends badly, too, and what passes ends well", async (t) => {
  const { deep } = await setUp(t);
  assert.equal(deep("1").status, 0);
  assert.equal(deep("1", "2").status, 1);
  assert.equal(deep("9").status, 2, "there is no such test");
});

async function setUp(t: TestContext) {
  const folder = await temporaryDirectory(t);
  for (const [i, [file, members]] of Object.entries(TESTS).entries()) {
    const subject = `{ number: ${i + 1}, name: "n", goal: "g", peer: "p", ${members} }`;
    const from = JSON.stringify(SCORECARD);
    await writeFile(
      join(folder, file),
      `import { scorecard } from ${from};\nscorecard(${subject});`,
    );
  }
  const page = join(folder, "page.md");
  await writeFile(page, PAGE);
  const env = { ...process.env };
  // It would take part in this run's report instead of making its own.
  Reflect.deleteProperty(env, "NODE_TEST_CONTEXT");
  const deep = (...args: string[]) => {
    const command = ["--disable-warning=ExperimentalWarning", DEEP, ...args, "--from", folder];
    return spawnSync(process.execPath, command, { env, encoding: "utf8" });
  };
  return { folder, page, deep };
}
