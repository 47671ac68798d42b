import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { cpuSecondsOf, memoryMibOf } from "./process.ts";

const PROGRAMS = join(import.meta.dirname, "..", "programs");
const QUIET = "--disable-warning=ExperimentalWarning";

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** How a program is started. */
export interface ChildOptions {
  /** Flags of Node. */
  readonly flags?: readonly string[];
  /** What goes into its environment unless something else is there. */
  readonly env?: Readonly<Record<string, string>>;
  /** Such as "0" or "0,1": it and all its threads stay on these. */
  readonly processors?: string | undefined;
}

/** A program of bench/programs in a process of its own, called over the pipe Node gives it. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  constructor(program: string, options: ChildOptions = {}) {
    const { flags = [], processors } = options;
    const env = { ...options.env, ...process.env };
    const node = [process.execPath, QUIET, ...flags, join(PROGRAMS, `${program}.ts`)];
    const pinned = processors === undefined ? node : ["taskset", "-c", processors, ...node];
    const [command = "", ...args] = pinned;
    const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
    this.#process = spawn(command, args, { stdio: [...stdio], env });
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
    return cpuSecondsOf(this.#process.pid);
  }

  /** MiB of memory that it has now; 0 where there is no /proc. */
  memoryMib(): number {
    return memoryMibOf(this.#process.pid, "VmRSS");
  }

  /** Ends the program in its own order, so that it also writes its CPU profile. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      await this.call("stop").catch(() => undefined);
    }
    await this.#ended;
  }
}
