import { join } from "node:path";
import { test } from "node:test";
import { goProgram } from "../support/go.ts";
import { reasonToSkip } from "../support/program.ts";
import { runProgram } from "./_cycle.ts";

const go = goProgram("go", join(import.meta.dirname, "go"));
const skip = await reasonToSkip(go.tools);

test("The AWS SDK for Go goes through the full cycle", { skip }, (t) => runProgram(t, go));
