import { join } from "node:path";
import { test } from "node:test";
import { runProgram } from "./_cycle.ts";
import { CACHE, type Program, reasonToSkip } from "./_program.ts";

const go: Program = {
  folder: "go",
  // The option came with Go 1.23, which can fetch the newer Go that go.mod asks for.
  tools: [["go", "env", "-changed"]],
  build: (output) => ({
    command: "go",
    args: ["build", "-mod=readonly", "-o", join(output, "cycle"), "."],
    env: {
      // The module cache is otherwise read-only, and node_modules could not be removed.
      GOFLAGS: "-modcacherw -buildvcs=false",
      GOMODCACHE: join(CACHE, "go-modules"),
      GOCACHE: join(CACHE, "go-build"),
      GOWORK: "off",
      CGO_ENABLED: "0",
    },
  }),
  command: (output) => [join(output, "cycle")],
};

test("The AWS SDK for Go goes through the full cycle", { skip: await reasonToSkip(go) }, (t) =>
  runProgram(t, go),
);
