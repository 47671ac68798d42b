/*
 * Several processes that serve one store. Each proves again and again that it is alive; one that
 * does not for a while is presumed dead, and its row is removed. From then on nothing of what it
 * had begun can be committed: a commit holds the row of its process and consumes what that had
 * reserved, so it is before the removal or not at all, however late the process wakes up.
 *
 * One of them leads: it does what need not be done twice. Leading is a matter of economy alone.
 * What a leader does has to be harmless when another does it at the same time, since one that was
 * stopped does not know for a moment that it leads no more: each change has its own condition.
 *
 * All leases are in the database's time; no process's clock is asked.
 */

/** How long is waited for a process before others take over. */
export interface Leases {
  /** Milliseconds between two proofs that a process is alive. */
  readonly beatMs: number;
  /** Milliseconds after the last proof until it is presumed dead. */
  readonly aliveMs: number;
  /** Milliseconds after the last proof until another may lead. */
  readonly leadMs: number;
}

/** What a proof of life is answered with. */
export interface Beat {
  readonly isLeader: boolean;
  /** Grows each time that another process begins to lead. */
  readonly epoch: number;
  /** The database's time, in milliseconds since 1970. */
  readonly nowMs: number;
}

/** The processes that serve a store. */
export interface ProcessTable {
  /** Adds a process; answers its number, which no other ever has. */
  join(name: string, leases: Leases): Promise<number>;
  /**
   * Proves that a process is alive, removes those presumed dead, and leads if nobody does.
   * Undefined when this one has been presumed dead itself.
   */
  beat(process: number, leases: Leases): Promise<Beat | undefined>;
  /** Removes a process that ends; another may lead at once. */
  leave(process: number): Promise<void>;
  /**
   * Reserves numbers of segments, which nobody else is ever given. Locations in such a segment can
   * be committed once, by that process, while it is alive and within `RESERVATION_MS_MAX`.
   * Undefined when the process has been presumed dead.
   */
  reserve(process: number, count: number): Promise<readonly number[] | undefined>;
}

/** Milliseconds after which a number that was not used is no longer reserved: an hour (ours). */
export const RESERVATION_MS_MAX = 3_600_000;
