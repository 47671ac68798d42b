import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { everyCommand, shapeOf } from "../../src/cli/command-shape.ts";
import { createProgram } from "../../src/cli/main.ts";
import { GIB_BYTES } from "../../src/model/limits.ts";
import { writeImage } from "../support/image-file.ts";
import { startTwoServices } from "./_two-services.ts";

const DOCS = new URL("../../docs/", import.meta.url);

test("every command line in the documentation names commands and options that exist", async () => {
  const program = shapeOf(await createProgram());
  const commands = everyCommand(program);
  const pages = (await readdir(DOCS))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`);
  let count = 0;
  for (const page of ["README.md", ...pages]) {
    const text = await readFile(new URL(`../../${page}`, import.meta.url), "utf8");
    // One that goes on in the next line ends in a backslash.
    for (const [, line = ""] of text
      .replaceAll("\\\n", " ")
      .matchAll(/^ *(?:\$ )?(?:\.\/bin\/)?varve ([a-z].*)$/gm)) {
      const words = line.replace(/ +#.*$/, "").split(" ");
      const names = (length: number) => ["varve", ...words.slice(0, length)].join(" ");
      const command = [3, 2, 1]
        .map((length) => commands.find(({ path }) => path.join(" ") === names(length)))
        .find((found) => found !== undefined);
      assert.ok(command, `${page}: varve ${line}`);
      const known = [...command.options, ...program.options].map(({ name }) => name);
      for (const flag of words.filter((word) => word.startsWith("--"))) {
        assert.ok(known.includes(flag.split("=")[0] ?? ""), `${page}: varve ${line}: ${flag}`);
      }
      count += 1;
    }
  }
  assert.ok(count > 40, `${count} command lines`);
});

test("the commands around snapshots print what docs/cli.md shows", async (t) => {
  const page = await readFile(new URL("cli.md", DOCS), "utf8");
  const shown = commandsOf(page.slice(page.indexOf("## varve list")));
  const run = await setUp(t, shown.map(({ output }) => output).join("\n"));
  const [deleting, others] = split(shown, ({ command }) => command.includes("--delete"));
  assert.ok(others.length >= 8 && deleting.length === 2);
  for (const each of others) await run(each);
  // The page says so above: Tuesday's was deleted at the source before this.
  await run({ command: `varve delete ${run.tuesday}`, output: undefined });
  for (const each of deleting) await run(each);
});

/** A command and what the page shows of its output; undefined where that is not looked at. */
interface Shown {
  readonly command: string;
  readonly output: string | undefined;
}

/** The commands in a page's fenced blocks, in order. */
function commandsOf(page: string): Shown[] {
  return [...page.matchAll(/^```\n(\$ [\s\S]*?)^```/gm)].flatMap(([, block = ""]) =>
    block
      .split(/^\$ /m)
      .filter(Boolean)
      .map((text) => {
        const [command = "", ...lines] = text.trimEnd().split("\n");
        return { command, output: lines.join("\n").trimEnd() };
      }),
  );
}

function split<T>(all: readonly T[], isFirst: (each: T) => boolean): [T[], T[]] {
  return [all.filter(isFirst), all.filter((each) => !isFirst(each))];
}

/** Makes what the page says was there, and answers how to run a command as it is printed. */
async function setUp(t: TestContext, shown: string) {
  const services = await startTwoServices(t, { profileName: "offsite" });
  const { folder, destination } = services;
  const [monday = "", tuesday = "", wednesday = ""] = idsIn(shown);
  const ids = new Map<string, string>();
  let parent: string | undefined;
  for (const [id, day, contents] of [
    [monday, "Monday", 1] as const,
    [tuesday, "Tuesday", 2] as const,
    [wednesday, "Wednesday", 3] as const,
  ]) {
    const image = join(folder, `${day}.raw`);
    await writeImage(image, GIB_BYTES, contentsOf(contents));
    const args = ["--tag", "disk=web", "--description", day];
    const base = parent === undefined ? [] : ["--parent", parent];
    const { stdout, stderr } = await services.run(["upload", image, ...args, ...base]);
    parent = stdout.trim();
    assert.match(parent, /^snap-/, stderr);
    ids.set(id, parent);
  }
  const run = async ({ command, output }: Shown): Promise<void> => {
    const words = command.split(" ").slice(1);
    const actual = words.map((word) =>
      word === "http://127.0.0.1:7802" ? destination.endpoint : (ids.get(word) ?? word),
    );
    const { code, stdout, stderr } = await services.run(actual);
    assert.equal(code, 0, `${command}\n${stderr}`);
    if (output === undefined) return;
    const printed = `${stdout}${stderr}`;
    for (const [at, id] of idsIn(output).entries()) {
      const there = idsIn(sorted(printed, output))[at];
      assert.ok(there !== undefined, `${command}\n${printed}`);
      ids.set(id, ids.get(id) ?? there);
    }
    const asShown = [...ids].reduce((text, [id, there]) => text.replaceAll(there, id), printed);
    assert.deepEqual(linesOf(asShown), linesOf(output), command);
  };
  return Object.assign(run, { tuesday });
}

/** Results and notes come by two ways: in which order, a terminal decides. */
function linesOf(text: string): string[] {
  return withoutTimes(text).split("\n").filter(Boolean).sort();
}

/** The printed lines in the order in which the page has those of their kind. */
function sorted(printed: string, shown: string): string {
  const kind = (line: string) => withoutTimes(line).replace(/snap-[0-9a-f]{17}/g, "snap");
  const rest = printed.split("\n");
  const ordered = shown.split("\n").map((line) => {
    const at = rest.findIndex((each) => kind(each) === kind(line));
    return at < 0 ? "" : rest.splice(at, 1)[0];
  });
  return [...ordered, ...rest].join("\n");
}

function withoutTimes(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/g, "TIME")
    .replace(/ in [\d.]+ (?:ms|s|min)\b/g, " in TIME")
    .replace(/"seconds":[\d.e-]+/g, '"seconds":TIME');
}

function idsIn(text: string): string[] {
  return [...new Set(text.match(/snap-[0-9a-f]{17}/g) ?? [])];
}

/** 128 blocks; Tuesday's changed six of them, Wednesday's four others. */
function contentsOf(day: number): Record<number, number> {
  const blocks = Array.from({ length: 128 }, (_, index) => {
    const isChanged = (day >= 2 && index < 6) || (day >= 3 && index >= 100 && index < 104);
    return [index, isChanged ? 1_000 + index : 1 + index] as const;
  });
  return Object.fromEntries(blocks);
}
