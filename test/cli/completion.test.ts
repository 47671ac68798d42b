import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runVarve } from "./_varve.ts";

async function scriptFor(t: TestContext, shell: string): Promise<string> {
  const path = join(await temporaryDirectory(t), `varve.${shell}`);
  const { code, stdout, stderr } = await runVarve(["completion", shell]);
  assert.equal(code, 0, stderr);
  await writeFile(path, stdout);
  return path;
}

test("bash completes commands, options, choices and paths", async (t) => {
  const script = await scriptFor(t, "bash");
  const complete = (line: string): string[] => {
    const words = line.split(" ");
    const lines = [
      `source ${script}`,
      `COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})`,
      `COMP_CWORD=${words.length - 1}`,
      `_varve`,
      `printf '%s\\n' "\${COMPREPLY[@]}"`,
    ];
    const { stdout, stderr, status } = spawnSync("bash", ["-c", lines.join("\n")], {
      encoding: "utf8",
      cwd: import.meta.dirname,
    });
    assert.equal(status, 0, stderr);
    return stdout.split("\n").filter(Boolean).sort();
  };
  assert.deepEqual(complete("varve upl"), ["upload"]);
  assert.deepEqual(complete("varve --json upload --par"), ["--parent"]);
  assert.ok(complete("varve key ").includes("create"), "subcommands");
  assert.deepEqual(complete("varve key policy s"), ["set"]);
  assert.deepEqual(complete("varve completion f"), ["fish"]);
  assert.deepEqual(complete("varve upload completion.t"), ["completion.test.ts"], "paths");
  assert.deepEqual(complete("varve serve --data _var"), ["_varve.ts"]);
  assert.deepEqual(complete("varve serve --listen "), [], "nothing to guess");
  assert.ok(complete("varve list --").includes("--endpoint"), "the program's own options too");
});

for (const shell of ["zsh", "fish"]) {
  test(`the completion for ${shell} is a script that it can read`, async (t) => {
    const script = await scriptFor(t, shell);
    const { error, status, stderr } = spawnSync(shell, ["-n", script], { encoding: "utf8" });
    if (error) return t.skip(`${shell} is not installed`);
    assert.equal(status, 0, stderr);
    assert.equal(stderr, "");
  });
}

test("the manual has every command, and nothing that man complains of", async (t) => {
  const { code, stdout } = await runVarve(["manual"]);
  assert.equal(code, 0);
  const groff = spawnSync("groff", ["-man", "-ww", "-Tutf8", "-rLL=100n", "-P-cbou"], {
    input: stdout,
    encoding: "utf8",
  });
  if (groff.error) return t.skip("groff is not installed");
  assert.equal(groff.stderr, "");
  const help = await runVarve(["--help"]);
  const names = help.stdout.split("Commands:")[1]?.match(/^ {2}([a-z]+) /gm) ?? [];
  assert.ok(names.length > 10);
  const text = groff.stdout;
  for (const name of names.map((each) => each.trim()).filter((each) => each !== "help")) {
    assert.match(text, new RegExp(`varve ${name} `), name);
  }
  assert.match(text, /7 +data failed verification/);
  assert.match(text, /VARVE_UPLOAD_PARENT/);
});
