import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Clock ticks a second in /proc: fixed by the interface between Linux and its programs. */
const TICKS_PER_SECOND = 100;
const PROGRAMS = join(import.meta.dirname, "..", "programs");
const QUIET = "--disable-warning=ExperimentalWarning";

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A program of bench/programs in a process of its own, called over the pipe Node gives it. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  constructor(program: string, nodeFlags: readonly string[] = []) {
    const args = [QUIET, ...nodeFlags, join(PROGRAMS, `${program}.ts`)];
    const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
    this.#process = spawn(process.execPath, args, { stdio: [...stdio] });
    this.#process.on("message", (message: { id: number; answer?: unknown; error?: string }) => {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error === undefined) waiting?.resolve(message.answer);
      else waiting?.reject(new Error(`${program}: ${message.error}`));
    });
    this.#ended = new Promise((resolve) => {
      this.#process.once("exit", (code, signal) => {
        const error = new Error(`${program} ended early: ${signal ?? code}`);
        for (const { reject } of this.#waiting.values()) reject(error);
        resolve();
      });
    });
  }

  /** Calls one of the program's commands; options and answer travel as JSON. */
  call<T>(command: string, options: unknown = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = ++this.#calls;
      this.#waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
      this.#process.send({ id, command, options }, (error) => {
        if (error) reject(error);
      });
    });
  }

  /** CPU seconds of all its threads so far, user and system; 0 where there is no /proc. */
  cpuSeconds(): number {
    try {
      const stat = readFileSync(`/proc/${this.#process.pid}/stat`, "latin1");
      // The name in brackets may hold spaces; utime and stime are fields 14 and 15.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    } catch {
      return 0;
    }
  }

  /** Ends the program in its own order, so that it also writes its CPU profile. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      await this.call("stop").catch(() => undefined);
    }
    await this.#ended;
  }
}
