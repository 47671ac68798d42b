import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Program, reasonToSkip } from "../support/program.ts";
import { runProgram } from "./_cycle.ts";

const sources = join(import.meta.dirname, "erlang");
/** Ends with the number of applications that are missing. */
const COUNT_MISSING =
  "halt(length([A || A <- [crypto, inets, xmerl]," +
  " element(1, application:ensure_all_started(A)) =/= ok])).";

/** Erlang's AWS client is on no registry here: the program does on the wire what that one does. */
const erlang: Program = {
  name: "erlang",
  sources,
  tools: [{ show: ["erl", "-noshell", "-eval", COUNT_MISSING] }],
  build: (output) => [
    { command: ["erlc", "-Werror", "-o", output, ...readdirSync(sources).sort()] },
  ],
  // Without the variable a failure leaves a dump of the machine in the working folder.
  command: (output) => [
    ...(["erl", "-env", "ERL_CRASH_DUMP_SECONDS", "0"] as const),
    ...["-noshell", "-pa", output, "-run", "cycle", "main"],
  ],
};
const skip = await reasonToSkip(erlang.tools);

test("Erlang goes through the full cycle, as strict as its AWS client", { skip }, (t) =>
  runProgram(t, erlang),
);
