import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { cpuSecondsOf } from "./process.ts";

const PROGRAMS = join(import.meta.dirname, "..", "programs");

/** A Python program of bench/programs, asked one question after another by lines of JSON. */
export class PythonChild implements AsyncDisposable {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;

  constructor(python: string, program: string) {
    this.#process = spawn(python, [join(PROGRAMS, `${program}.py`)]);
    this.#process.stderr.pipe(process.stderr);
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** Has it do one thing. Throws what it says went wrong. */
  async call(command: string, load: object): Promise<void> {
    this.#process.stdin.write(`${JSON.stringify({ command, load })}\n`);
    const { done, value } = await this.#answers.next();
    const { error } = done ? { error: "it has ended" } : JSON.parse(value);
    if (error !== undefined) throw new Error(`boto3: ${error}`);
  }

  /** CPU seconds of all its threads so far; 0 where there is no /proc. */
  cpuSeconds(): number {
    return cpuSecondsOf(this.#process.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.stdin.end();
    if (this.#process.exitCode === null) await once(this.#process, "exit");
  }
}
