// What a thread of `WorkThreads` runs. Only a type of it may be imported: loaded, it listens.

import { parentPort } from "node:worker_threads";
import { CorruptionError } from "../model/errors.ts";
import { runTask, type Task } from "./_block-task.ts";

/** A task on its way to a thread. */
export interface Asked {
  readonly number: number;
  readonly task: Task;
}

/** What a thread answers, or what went wrong: `corrupt` is what a `CorruptionError` says. */
export interface Answered {
  readonly number: number;
  readonly answer?: unknown;
  readonly corrupt?: string;
  readonly failed?: string;
}

const port = parentPort;
port?.on("message", ({ number, task }: Asked) => {
  try {
    const { answer, moved } = runTask(task);
    port.postMessage({ number, answer } satisfies Answered, moved);
  } catch (error) {
    const { message } = error as Error;
    const told = error instanceof CorruptionError ? { corrupt: message } : { failed: message };
    port.postMessage({ number, ...told } satisfies Answered);
  }
});
