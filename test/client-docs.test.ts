import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { awsEnvironment, startService } from "./support/service.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

/* docs/client.md against the library: its examples are run, and its tables compared. */

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "..");
const page = await readFile(join(ROOT, "docs/client.md"), "utf8");
const TSC = join(ROOT, "node_modules/.bin/tsc");

/** The examples as modules that find the library in this checkout. */
function examples(): string[] {
  const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1] as string);
  const entry = (name: string) => JSON.stringify(join(ROOT, "src/client", name));
  return blocks.map((block) =>
    block
      .replaceAll('"varve"', entry("index.ts"))
      .replaceAll('"varve/browser"', entry("browser.ts")),
  );
}

test("the examples of docs/client.md have right types, and run", async (t) => {
  const service = await startService(t);
  const folder = await temporaryDirectory(t);
  const paths: string[] = [];
  for (const [i, text] of examples().entries()) {
    const path = join(folder, `example-${i + 1}.mts`);
    await writeFile(path, text);
    paths.push(path);
  }
  assert.equal(paths.length, 4);
  const config = {
    extends: join(ROOT, "tsconfig.json"),
    compilerOptions: { typeRoots: [join(ROOT, "node_modules/@types")] },
    include: [],
    files: paths,
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
  await run(TSC, ["--project", folder]).catch(({ stdout }) => assert.fail(String(stdout)));
  const env = { PATH: process.env["PATH"] ?? "", ...awsEnvironment(service) };
  const printed: string[] = [];
  for (const path of paths) {
    const flags = ["--disable-warning=ExperimentalWarning", path];
    const { stdout } = await run(process.execPath, flags, { env });
    printed.push(stdout.trim());
  }
  assert.equal(printed[0], "7 524288");
  assert.match(printed[1] ?? "", /^SNAPSHOT_NOT_FOUND \S+$/);
  assert.equal(printed[2], "https://ebs.cn-north-1.amazonaws.com.cn");
  assert.equal(printed[3], "");
});

test("docs/client.md names every option, and no other", async () => {
  const members = async (file: string, name: string) => {
    const source = await readFile(join(ROOT, "src/client", file), "utf8");
    const body = source
      .split(new RegExp(`export interface ${name}\\b[^{]*\\{`))[1]
      ?.split(/^\}/m)[0];
    return [...(body ?? "").matchAll(/^ {2}readonly (\w+)/gm)].map((match) => match[1] as string);
  };
  const section = page.split("## Options")[1]?.split("\n## ")[0] ?? "";
  const rows = [...section.matchAll(/^\| (`.*?`) \|/gm)].map((match) => match[1] as string);
  const documented = rows.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map((m) => m[1]));
  const core = await members("call/client.ts", "ClientOptions");
  const actual = [...core, ...(await members("call/create-client.ts", "NodeClientOptions"))];
  assert.ok(actual.length >= 12);
  assert.deepEqual(documented.sort(), actual.sort());
  const ofCalls = /Of each call: (.*?)\.$/ms.exec(section)?.[1] ?? "";
  const named = [...ofCalls.matchAll(/`([a-z]\w+)`/g)].map((match) => match[1]);
  assert.deepEqual(named.sort(), (await members("call/client.ts", "CallOptions")).sort());
});

test("docs/client.md names every class of error", async () => {
  const source = await readFile(join(ROOT, "src/client/service-errors.ts"), "utf8");
  const classes = [...source.matchAll(/^export class (\w+)/gm)].map((match) => match[1]);
  const section = page.split("## Errors")[1]?.split("\n## ")[0] ?? "";
  const named = section.split("for `instanceof`:")[1]?.match(/\w+Exception/g) ?? [];
  assert.deepEqual([...named].sort(), classes.sort());
});
