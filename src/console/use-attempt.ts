import { useState } from "preact/hooks";
import { useConsole } from "./console-context.ts";

/** Work that somebody asked for, and what became of it. */
export interface Attempt {
  readonly failure: string;
  /** Waits for the work; answers whether it went well. */
  readonly attempt: (work: Promise<unknown>, onDone?: () => void) => Promise<boolean>;
}

/** Shows why work failed that a button began, until the next is begun. */
export function useAttempt(): Attempt {
  const { report } = useConsole();
  const [failure, setFailure] = useState("");
  const attempt = async (work: Promise<unknown>, onDone?: () => void) => {
    setFailure("");
    try {
      await work;
      onDone?.();
      return true;
    } catch (error) {
      setFailure(report(error));
      return false;
    }
  };
  return { failure, attempt };
}
