import type { Clock } from "../../base/clock.ts";
import { nextTurn } from "../../base/next-turn.ts";
import { type Client, type Patience, WaitingLines } from "./waiting-lines.ts";

/** Such work that runs at once: while one reads from the disk, the other goes on. */
const RUNNING_COUNT_MAX = 2;
/**
 * How long such work rests between two pieces while anything else is under way (ours: a piece takes
 * about half a millisecond, so most of the processor is left to everything else).
 */
const REST_MS = 3;

/**
 * Takes turns with work that keeps the process busy for long, such as a page of 10,000 blocks:
 * those who wait are let in one of each key after another, so whoever asks for very much waits for
 * himself; and between two pieces of it everything else that is ready goes on, and for longer where
 * there is anything else: a put comes in many pieces, of which each would wait for one of a page.
 */
export class Turns {
  readonly #clock: Clock;
  readonly #patience: Patience | undefined;
  readonly #waiting = new WaitingLines<void>();
  #running = 0;
  /** Requests that are worked on, and how many of them are such work. */
  #underWayCount = 0;
  #longCount = 0;

  /** Where a longest wait is given, nobody who has waited for so long is let in any more. */
  constructor(clock: Clock, waitMsMax?: number) {
    this.#clock = clock;
    this.#patience = waitMsMax === undefined ? undefined : { clock, waitMsMax };
  }

  /** Says that a request is worked on, until the function answered is called. */
  begin(): () => void {
    this.#underWayCount += 1;
    return () => {
      this.#underWayCount -= 1;
    };
  }

  /** To be awaited between two pieces of work. */
  async rest(): Promise<void> {
    if (this.#underWayCount > this.#longCount) await this.#clock.sleep(REST_MS);
    else await nextTurn();
  }

  /**
   * Runs the work of a request when it is the key's turn; answers what it answers. Rejects with a
   * `ClientLeftError`, without having begun, when its client leaves before, and likewise with a
   * `RequestThrottledException` when it has waited for too long.
   */
  async run<T>(key: string, work: () => Promise<T>, client?: Client): Promise<T> {
    this.#longCount += 1;
    try {
      if (this.#running >= RUNNING_COUNT_MAX) await this.#waiting.wait(key, client, this.#patience);
      else this.#running += 1;
      return await this.#runHere(work);
    } finally {
      this.#longCount -= 1;
    }
  }

  async #runHere<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      const next = this.#waiting.next();
      // The place passes on, but only after whatever else has become ready meanwhile.
      if (next) void this.#clock.sleep(0).then(next, next);
      else this.#running -= 1;
    }
  }
}
