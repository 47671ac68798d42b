import { useEffect, useState } from "preact/hooks";
import { systemClock } from "../base/clock.ts";

/* What was begun in this tab. It goes on from screen to screen, and ends with the tab. */

/** Something that takes a while. */
export interface Task {
  readonly id: number;
  /** As `Verify snap-…`. */
  readonly title: string;
  readonly startedMs: number;
  readonly state: "running" | "done" | "failed" | "stopped";
  /** How far it is; a total of 0 where that is not known. */
  readonly done: number;
  readonly total: number;
  /** What can be said of it: progress, then how it ended. */
  readonly text: string;
}

/** A line of what has happened. */
export interface LogLine {
  readonly id: number;
  readonly timeMs: number;
  readonly text: string;
  readonly isBad: boolean;
}

/** What a piece of work is given. */
export interface TaskControls {
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number, text: string) => void;
}

/** Lines that are kept; older ones are forgotten. */
const LINES_COUNT_MAX = 500;
/** Tasks that are kept after their end. */
const ENDED_COUNT_MAX = 50;

/** The tasks of a tab and a log of what happened. */
export class TaskBoard {
  #tasks: readonly Task[] = [];
  #lines: readonly LogLine[] = [];
  #nextId = 1;
  readonly #stops = new Map<number, AbortController>();
  readonly #listeners = new Set<() => void>();

  /** The latest first. */
  get tasks(): readonly Task[] {
    return this.#tasks;
  }

  /** The latest first. */
  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** Calls back at every change; answers what ends that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Adds a line to the log. */
  note(text: string, isBad = false): void {
    const line = { id: this.#nextId++, timeMs: systemClock.nowMs(), text, isBad };
    this.#lines = [line, ...this.#lines].slice(0, LINES_COUNT_MAX);
    this.#tell();
  }

  /** Does some work, which answers in a few words how it ended. Rejects as the work does. */
  async run(title: string, work: (controls: TaskControls) => Promise<string>): Promise<string> {
    const id = this.#nextId++;
    const stop = new AbortController();
    const begun = { id, title, startedMs: systemClock.nowMs(), state: "running" } as const;
    const ended = this.#tasks.filter(({ state }) => state !== "running").slice(0, ENDED_COUNT_MAX);
    const running = this.#tasks.filter(({ state }) => state === "running");
    this.#tasks = [{ ...begun, done: 0, total: 0, text: "" }, ...running, ...ended];
    this.#stops.set(id, stop);
    this.note(`${title}: begun`);
    const onProgress = (done: number, total: number, text: string) =>
      this.#change(id, { done, total, text });
    try {
      const text = await work({ signal: stop.signal, onProgress });
      this.#end(id, { state: stop.signal.aborted ? "stopped" : "done", text });
      return text;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#end(
        id,
        stop.signal.aborted ? { state: "stopped", text: "stopped" } : { state: "failed", text },
      );
      throw error;
    } finally {
      this.#stops.delete(id);
    }
  }

  /** Has a task end early. */
  stop(id: number): void {
    this.#stops.get(id)?.abort(new Error("Stopped"));
  }

  /** Has all of them end: nobody is signed in any more. */
  stopAll(): void {
    for (const id of this.#stops.keys()) this.stop(id);
  }

  #end(id: number, change: Pick<Task, "state" | "text">): void {
    this.#change(id, change);
    const title = this.#tasks.find((task) => task.id === id)?.title ?? "";
    this.note(`${title}: ${change.text}`, change.state === "failed");
  }

  #change(id: number, change: Partial<Task>): void {
    this.#tasks = this.#tasks.map((task) => (task.id === id ? { ...task, ...change } : task));
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Draws anew whenever the board changes. */
export function useTaskBoard(board: TaskBoard): TaskBoard {
  const [, setCount] = useState(0);
  useEffect(() => board.subscribe(() => setCount((before) => before + 1)), [board]);
  return board;
}
