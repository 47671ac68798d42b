import { createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import { systemClock } from "../base/clock.ts";
import type { Client } from "../client/browser.ts";
import type { Session } from "./session.ts";
import type { TaskBoard } from "./task-board.ts";

/** What every screen is given. */
export interface ConsoleParts {
  readonly client: Client;
  readonly session: Session;
  /** Goes up when the service is back after it was gone: what was loaded is loaded again. */
  readonly generation: number;
  /**
   * Hears of every failed call. Signs out where the session has ended, and watches for the service
   * where it is gone. Answers the sentence to show.
   */
  readonly report: (error: unknown) => string;
  /** What was begun in this tab and goes on while one looks at other screens. */
  readonly tasks: TaskBoard;
}

/** Where screens find it. */
export const ConsoleContext = createContext<ConsoleParts | undefined>(undefined);

/** The parts of the console around a screen. */
export function useConsole(): ConsoleParts {
  const parts = useContext(ConsoleContext);
  if (parts === undefined) throw new Error("A screen stands outside the console");
  return parts;
}

/** Something that is loaded, or why it could not be. */
export interface Loaded<T> {
  /** The latest that was loaded, also while it is loaded again. */
  readonly value: T | undefined;
  readonly error: string | undefined;
  readonly isLoading: boolean;
  reload(): void;
}

/** How something is loaded. */
export interface LoadOptions<T> {
  /**
   * Milliseconds after which it is loaded again without being asked, by what was loaded; undefined
   * for not at all. It waits while the page is not seen, and longer where loading takes long.
   */
  readonly againAfterMs?: ((value: T) => number | undefined) | undefined;
}

/** How long after a failure it is looked again. */
const FAILED_AGAIN_MS = 10_000;
/** Of its time, a page spends at most a fifth on loading again what nobody has asked for. */
const PAUSE_FACTOR = 4;

/** Loads something for a screen, again when `key` changes. It ends with the screen. */
export function useLoad<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  { againAfterMs }: LoadOptions<T> = {},
): Loaded<T> {
  const { generation, report } = useConsole();
  const [count, setCount] = useState(0);
  const [state, setState] = useState<Omit<Loaded<T>, "reload">>(NOTHING_YET);
  useEffect(() => {
    const left = new AbortController();
    setState(({ value }) => ({ value, error: undefined, isLoading: true }));
    const look = async () => {
      const startedMs = systemClock.monotonicMs();
      const value = await load(left.signal);
      if (left.signal.aborted) return undefined;
      setState({ value, error: undefined, isLoading: false });
      const pauseMs = (systemClock.monotonicMs() - startedMs) * PAUSE_FACTOR;
      const afterMs = againAfterMs?.(value);
      return afterMs === undefined ? undefined : Math.max(afterMs, pauseMs);
    };
    const lookOrTell = () =>
      look().catch((error: unknown) => {
        if (left.signal.aborted) return undefined;
        const text = report(error);
        setState(({ value }) => ({ value, error: text, isLoading: false }));
        // What is looked at again by itself must not stand still for one failure.
        return againAfterMs && FAILED_AGAIN_MS;
      });
    lookAgain(lookOrTell, left.signal).catch(() => undefined);
    return () => left.abort(new Error("The screen was left"));
  }, [key, generation, count]);
  return { ...state, reload: () => setCount((before) => before + 1) };
}

const NOTHING_YET = { value: undefined, error: undefined, isLoading: true };

/** Looks, and again for as long as `look` answers after how many milliseconds. */
async function lookAgain(
  look: () => Promise<number | undefined>,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const afterMs = await look();
    if (afterMs === undefined) return;
    await systemClock.sleep(afterMs, signal);
    await untilSeen(signal);
  }
}

/** Resolves when the page is seen: at once, or when its tab comes to the front. */
function untilSeen(signal: AbortSignal): Promise<void> {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const seen = new AbortController();
    const options = { signal: seen.signal };
    const end = (settle: () => void) => {
      seen.abort();
      settle();
    };
    document.addEventListener("visibilitychange", () => end(resolve), options);
    signal.addEventListener("abort", () => end(() => reject(signal.reason)), options);
  });
}
