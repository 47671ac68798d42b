import { join } from "node:path";
import { test } from "node:test";
import { CACHE, type Program, reasonToSkip } from "../support/program.ts";
import { runProgram } from "./_cycle.ts";

const java: Program = {
  name: "java",
  sources: join(import.meta.dirname, "java"),
  tools: [{ show: ["mvn", "--version"] }, { show: ["javac", "-version"] }],
  build: (output) => [
    {
      command: [
        "mvn",
        "--batch-mode",
        "--quiet",
        "--no-transfer-progress",
        `-Dmaven.repo.local=${join(CACHE, "maven")}`,
        `-Dvarve.output=${output}`,
        "compile",
        "dependency:copy-dependencies",
      ],
    },
  ],
  command: (output) => [
    "java",
    // The program is short: compiling it further costs more than it brings.
    "-XX:TieredStopAtLevel=1",
    "--class-path",
    `${join(output, "classes")}:${join(output, "lib", "*")}`,
    "Main",
  ],
};
const skip = await reasonToSkip(java.tools);

test("The AWS SDK for Java goes through the full cycle", { skip }, (t) => runProgram(t, java));
