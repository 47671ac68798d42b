import { join } from "node:path";
import { test } from "node:test";
import { type Program, reasonToSkip } from "../support/program.ts";
import { CARGO_ENVIRONMENT, RUST } from "../support/rust.ts";
import { runProgram } from "./_cycle.ts";

const rust: Program = {
  name: "rust",
  sources: join(import.meta.dirname, "rust"),
  tools: RUST,
  build: (output) => [
    {
      command: [
        ...(["cargo", "install", "--path", "."] as const),
        ...["--locked", "--debug", "--quiet", "--root", output],
      ],
      env: CARGO_ENVIRONMENT,
    },
  ],
  command: (output) => [join(output, "bin/cycle")],
};
const skip = await reasonToSkip(rust.tools);

test("The AWS SDK for Rust goes through the full cycle", { skip }, (t) => runProgram(t, rust));
