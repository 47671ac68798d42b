import { homedir } from "node:os";
import { join } from "node:path";
import type { Environment } from "./settings.ts";

/**
 * Where the command line keeps what it needs to go on after a crash: a folder of ours under the
 * XDG base directory for state.
 */
export function stateFolderFrom(env: Environment, home: string = homedir()): string {
  const base = env["XDG_STATE_HOME"] || join(home, ".local", "state");
  return join(base, "varve");
}
