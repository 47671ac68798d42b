import { join } from "node:path";
import { test } from "node:test";
import { runProgram } from "./_cycle.ts";
import { CACHE, type Program, reasonToSkip } from "./_program.ts";

const java: Program = {
  folder: "java",
  tools: [
    ["mvn", "--version"],
    ["javac", "-version"],
  ],
  build: (output) => ({
    command: "mvn",
    args: [
      "--batch-mode",
      "--quiet",
      "--no-transfer-progress",
      `-Dmaven.repo.local=${join(CACHE, "maven")}`,
      `-Dvarve.output=${output}`,
      "compile",
      "dependency:copy-dependencies",
    ],
  }),
  command: (output) => [
    "java",
    // The program is short: compiling it further costs more than it brings.
    "-XX:TieredStopAtLevel=1",
    "--class-path",
    `${join(output, "classes")}:${join(output, "lib", "*")}`,
    "Main",
  ],
};

test("The AWS SDK for Java goes through the full cycle", { skip: await reasonToSkip(java) }, (t) =>
  runProgram(t, java),
);
