import { createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import type { Client } from "../client/browser.ts";
import type { Session } from "./session.ts";

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

/** Loads something for a screen, again when `key` changes. It ends with the screen. */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const { generation, report } = useConsole();
  const [count, setCount] = useState(0);
  const [state, setState] = useState<Omit<Loaded<T>, "reload">>(NOTHING_YET);
  useEffect(() => {
    const left = new AbortController();
    setState(({ value }) => ({ value, error: undefined, isLoading: true }));
    load(left.signal).then(
      (value) => {
        if (!left.signal.aborted) setState({ value, error: undefined, isLoading: false });
      },
      (error: unknown) => {
        if (left.signal.aborted) return;
        const text = report(error);
        setState(({ value }) => ({ value, error: text, isLoading: false }));
      },
    );
    return () => left.abort(new Error("The screen was left"));
  }, [key, generation, count]);
  return { ...state, reload: () => setCount((before) => before + 1) };
}

const NOTHING_YET = { value: undefined, error: undefined, isLoading: true };
