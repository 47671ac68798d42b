import { join } from "node:path";
import { CACHE, type Program } from "./program.ts";

/** A program in Go, of a folder with a go.mod. */
export function goProgram(name: string, sources: string): Program {
  return {
    name,
    sources,
    // The option came with Go 1.23, which can fetch the newer Go that go.mod asks for.
    tools: [{ show: ["go", "env", "-changed"] }],
    build: (output) => [
      {
        command: ["go", "build", "-mod=readonly", "-o", join(output, name), "."],
        env: {
          // The module cache is otherwise read-only, and node_modules could not be removed.
          GOFLAGS: "-modcacherw -buildvcs=false",
          GOMODCACHE: join(CACHE, "go-modules"),
          GOCACHE: join(CACHE, "go-build"),
          GOWORK: "off",
          CGO_ENABLED: "0",
        },
      },
    ],
    command: (output) => [join(output, name)],
  };
}
