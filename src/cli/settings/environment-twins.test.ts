import assert from "node:assert/strict";
import { test } from "node:test";
import { Command } from "commander";
import { UsageError } from "../errors.ts";
import { TwinnedCommand, variableOf } from "./environment-twins.ts";

/** Parses a command line with these variables set; answers the options as its command sees them. */
function parse(variables: Record<string, string>, args: string[]): object {
  const before = { ...process.env };
  Object.assign(process.env, variables);
  let seen = {};
  const see = (_: object, command: Command) => {
    seen = command.optsWithGlobals();
  };
  const all = (text: string, earlier: string[] = []) => [...earlier, text];
  try {
    const program = new TwinnedCommand("varve").option("--endpoint <url>").option("--json");
    program.command("serve").option("--data <folder>").action(see);
    const upload = program.command("upload").option("--data <folder>").option("--dry-run");
    upload.option("--tag <tag>", "", all).action(see);
    program.parse(args, { from: "user" });
    return seen;
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

test("every option has a variable, and the command line goes first", () => {
  const variables = { VARVE_ENDPOINT: "http://e", VARVE_UPLOAD_TAG: "a=b", VARVE_DATA: "d" };
  const expected = { endpoint: "http://e", tag: ["a=b"], data: "d" };
  assert.deepEqual(parse(variables, ["upload"]), expected);
  assert.deepEqual(parse(variables, ["serve"]), { endpoint: "http://e", data: "d" });
  assert.deepEqual(parse({ ...variables, VARVE_DATA: "" }, ["serve"]), { endpoint: "http://e" });
  const given = ["--endpoint", "http://o", "upload", "--tag", "c=d", "--tag", "e=f"];
  assert.deepEqual(parse(variables, given), {
    endpoint: "http://o",
    tag: ["c=d", "e=f"],
    data: "d",
  });
});

test("a switch is given by 1 and its like, not by 0 or nothing, and by no other word", () => {
  for (const text of ["1", "true", "YES"]) {
    const variables = { VARVE_UPLOAD_DRY_RUN: text };
    assert.deepEqual(parse(variables, ["upload"]), { dryRun: true });
  }
  for (const text of ["", "0", "false"]) {
    assert.deepEqual(parse({ VARVE_JSON: text }, ["upload"]), {});
  }
  const wrong = () => parse({ VARVE_JSON: "maybe" }, ["upload"]);
  assert.throws(wrong, new UsageError("VARVE_JSON is 'maybe': give 1 or 0, for it is a switch."));
});

test("variables carry the command's name, but for the service's and the program's own", () => {
  const option = new Command().createOption("--dry-run", "");
  assert.equal(variableOf([], option), "VARVE_DRY_RUN");
  assert.equal(variableOf(["serve"], option), "VARVE_DRY_RUN");
  assert.equal(variableOf(["key", "policy", "set"], option), "VARVE_KEY_POLICY_SET_DRY_RUN");
  assert.equal(variableOf([], new Command().createOption("--version", "")), undefined);
});
