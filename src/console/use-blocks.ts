import { useEffect, useState } from "preact/hooks";
import { systemClock } from "../base/clock.ts";
import type { BlockSet } from "./block-set.ts";
import { useConsole } from "./console-context.ts";

/** Blocks that come page by page. */
export interface Blocks<T> {
  readonly state: T | undefined;
  /** Goes up when there is more to draw. */
  readonly version: number;
  readonly isLoading: boolean;
  readonly error: string | undefined;
  /** True when so many have come that the rest waits until `goOn`. */
  readonly isPaused: boolean;
  goOn(): void;
}

/** Blocks after which loading waits to be told to go on: some hundred MB have come by then. */
const PAUSE_COUNT = 2_097_152;
/** Between two pictures while pages come: drawing must not slow down loading. */
const REDRAW_MS = 250;

/** What a loader works with. */
export interface BlockLoading<T> {
  readonly signal: AbortSignal;
  /** Shows what there is so far. */
  readonly show: (state: T) => void;
  /** Waits, after very many blocks, until it is wanted that loading goes on. */
  readonly pace: (blocks: BlockSet) => Promise<void>;
}

/** Loads blocks for a map, anew when `key` changes; "" for nothing. */
export function useBlocks<T>(
  key: string,
  load: (loading: BlockLoading<T>) => Promise<void>,
): Blocks<T> {
  const { generation, report } = useConsole();
  const [blocks, setBlocks] = useState<Omit<Blocks<T>, "goOn">>(NOTHING_YET);
  const [goOn, setGoOn] = useState<() => void>();
  useEffect(() => {
    if (key === "") return;
    const left = new AbortController();
    const change = (part: Partial<Blocks<T>>) => {
      if (left.signal.aborted) return;
      setBlocks((before) => ({ ...before, ...part, version: before.version + 1 }));
    };
    let [shownAtMs, pauseAt] = [Number.NEGATIVE_INFINITY, PAUSE_COUNT];
    const pace = async (set: BlockSet) => {
      if (set.count < pauseAt) return;
      pauseAt = set.count + PAUSE_COUNT;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      left.signal.addEventListener("abort", () => reject(left.signal.reason), { once: true });
      change({ isPaused: true });
      setGoOn(() => resolve);
      await promise;
      change({ isPaused: false });
    };
    const show = (state: T) => {
      const nowMs = systemClock.monotonicMs();
      if (nowMs - shownAtMs < REDRAW_MS) return;
      shownAtMs = nowMs;
      change({ state });
    };
    const showAll = (state: T) => {
      latest.state = state;
      show(state);
    };
    const latest: { state?: T } = {};
    change({ ...NOTHING_YET });
    load({ signal: left.signal, show: showAll, pace }).then(
      () => change({ ...latest, isLoading: false }),
      (error: unknown) => {
        if (!left.signal.aborted) change({ isLoading: false, error: report(error) });
      },
    );
    return () => left.abort(new Error("The screen was left"));
  }, [key, generation]);
  return { ...blocks, goOn: () => goOn?.() };
}

const NOTHING_YET = {
  state: undefined,
  version: 0,
  isLoading: true,
  error: undefined,
  isPaused: false,
};
