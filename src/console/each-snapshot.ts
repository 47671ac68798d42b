import { forEachConcurrent } from "../base/concurrency.ts";
import type { ConsoleParts } from "./console-context.ts";
import { counted } from "./format.ts";
import type { TaskControls } from "./task-board.ts";

/** Snapshots worked on at once. */
const AT_ONCE = 4;

/** What is done with each. */
export interface EachWork {
  /** What has been done to it then, as `deleted`. */
  readonly done: string;
  each(id: string, signal: AbortSignal): Promise<void>;
  /** Hears after each how many are done, and of all failures so far. */
  onDone?(done: number, failures: readonly string[]): void;
}

/**
 * Does something with several snapshots, until it is stopped. One that fails does not save the
 * others; those that failed are told of together, by a rejection at the end.
 */
export async function eachSnapshot(
  { report, controls }: Pick<ConsoleParts, "report"> & { readonly controls: TaskControls },
  ids: readonly string[],
  work: EachWork,
): Promise<string> {
  const { signal, onProgress } = controls;
  let done = 0;
  const failures: string[] = [];
  await forEachConcurrent(ids, AT_ONCE, async (id) => {
    signal.throwIfAborted();
    await work.each(id, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      failures.push(`${id}: ${report(error)}`);
    });
    done += 1;
    work.onDone?.(done, [...failures]);
    onProgress(done, ids.length, `${done} of ${ids.length}`);
  });
  const text = `${counted(done - failures.length, "snapshot")} ${work.done}`;
  if (failures.length > 0) throw new Error(`${text}; ${failures.join("; ")}`);
  return text;
}
