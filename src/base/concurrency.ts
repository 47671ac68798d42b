import { assert } from "./assert.ts";

/**
 * Lets at most `limit` pieces of work run at once; the others wait in order of arrival.
 * A place is given back however the work ends, also when it throws.
 */
export class Limiter {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limit: number) {
    assert(Number.isInteger(limit) && limit > 0, `a limiter needs at least one place: ${limit}`);
    this.#limit = limit;
  }

  /**
   * Runs the work as soon as there is a place, and answers what it answers. An abort while it
   * still waits takes it out of the line and rejects with the signal's reason. What is urgent
   * goes to the head of the line.
   */
  async run<T>(
    work: () => Promise<T>,
    signal?: AbortSignal | undefined,
    isUrgent = false,
  ): Promise<T> {
    signal?.throwIfAborted();
    if (this.#running >= this.#limit) await this.#wait(signal, isUrgent);
    else this.#running += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // The place passes straight to the next in line, so nobody can slip in between.
      if (next) next();
      else this.#running -= 1;
    }
  }

  #wait(signal: AbortSignal | undefined, isUrgent: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(signal?.reason);
      };
      if (isUrgent) this.#waiting.unshift(enter);
      else this.#waiting.push(enter);
      signal?.addEventListener("abort", leave, { once: true });
    });
  }
}

/** Lets one piece of work at a time run under each key, in order of arrival. */
export class KeyedLock {
  /** The last piece of work under each key that has any. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs the work when all that came before it under this key has ended, well or badly. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const running = before === undefined ? work() : before.then(work, work);
    this.#last.set(key, running);
    try {
      return await running;
    } finally {
      if (this.#last.get(key) === running) this.#last.delete(key);
    }
  }
}

/**
 * Calls `work` for each item with at most `limit` calls in flight, pulling the next item only
 * when a call has ended, so memory stays bounded by the limit. The first failure stops the
 * pulling, waits for the calls in flight, and is thrown.
 */
export async function forEachConcurrent<T>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  assert(Number.isInteger(limit) && limit > 0, `concurrency must be at least 1: ${limit}`);
  const inFlight = new Set<Promise<void>>();
  const failures: unknown[] = [];
  try {
    for await (const item of items) {
      const call = work(item)
        .catch((error: unknown) => {
          failures.push(error);
        })
        .finally(() => inFlight.delete(call));
      inFlight.add(call);
      if (inFlight.size >= limit) await Promise.race(inFlight);
      if (failures.length > 0) break;
    }
  } finally {
    // Also when the items themselves fail: no call may go on behind the caller's back.
    await Promise.all(inFlight);
  }
  if (failures.length > 0) throw failures[0];
}

/**
 * Answers what `work` answers for each item, in order, with at most `limit` calls in flight or
 * answered ahead of whoever takes the answers. Whoever stops taking them waits for the calls in
 * flight.
 */
export async function* mapAhead<T, R>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  assert(Number.isInteger(limit) && limit > 0, `concurrency must be at least 1: ${limit}`);
  const ahead: Promise<R>[] = [];
  try {
    for (const item of items) {
      const call = work(item);
      // Thrown when it is its turn.
      call.catch(() => undefined);
      ahead.push(call);
      if (ahead.length === limit) yield await (ahead.shift() as Promise<R>);
    }
    for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) yield await next;
  } finally {
    await Promise.allSettled(ahead);
  }
}
