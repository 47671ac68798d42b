import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";

/** What a daemon is started with. */
export interface DaemonParts {
  /** Where it runs and writes `COMMAND.output`; removed with it when this process ends. */
  readonly folder: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * A program of an engine, with a shell in between that hands signals on. When this process ends,
 * however that is, the program ends, too, and its folder is removed; of several daemons in one, by
 * the last.
 */
export class Daemon {
  readonly #shell: ChildProcess;
  /** What it wrote. */
  readonly outputPath: string;

  constructor({ folder, command, args, env = process.env }: DaemonParts) {
    const script = [
      'left="$PWD"; "$0" "$@" </dev/null & daemon=$!',
      'while read -r word; do [ "$word" = END ] && { left=; break; }',
      'kill -s "$word" $daemon; done',
      "kill -s CONT $daemon; kill -s KILL $daemon; wait $daemon; cd /",
      '[ -z "$left" ] || rm -rf "$left"',
    ].join("; ");
    this.outputPath = join(folder, `${command.split("/").at(-1)}.output`);
    const output = openSync(this.outputPath, "a");
    this.#shell = spawn("/bin/sh", ["-c", script, command, ...args], {
      ...{ cwd: folder, env },
      stdio: ["pipe", output, output],
    });
    closeSync(output);
    this.#shell.unref();
    (this.#shell.stdin as unknown as { unref(): void }).unref();
  }

  signal(name: "STOP" | "CONT"): void {
    this.#shell.stdin?.write(`${name}\n`);
  }

  /** Kills it; its folder stays. */
  async end(): Promise<void> {
    if (this.#shell.exitCode !== null) return;
    this.#shell.ref();
    this.#shell.stdin?.end("END\n");
    await once(this.#shell, "exit");
  }
}
