import assert from "node:assert/strict";
import { test } from "node:test";
import { type CommandShape, everyCommand, shapeOf } from "./command-shape.ts";
import { createProgram } from "./main.ts";

test("every command has examples, of itself and with options that it has", async () => {
  const program = shapeOf(await createProgram());
  const commands = everyCommand(program).filter(({ commands }) => commands.length === 0);
  assert.ok(commands.length > 20);
  for (const command of commands) checkExamples(command, program);
});

function checkExamples(command: CommandShape, program: CommandShape): void {
  const name = command.path.join(" ");
  const lines = command.examples.split("\n").filter(Boolean);
  assert.ok(lines.length > 0, `${name} has no example`);
  const known = [...command.options, ...program.options].map((option) => option.name);
  for (const line of lines) {
    assert.match(line, new RegExp(`\\b${name}\\b`), line);
    for (const [flag] of line.matchAll(/--[a-z-]+/g)) assert.ok(known.includes(flag), line);
  }
}
