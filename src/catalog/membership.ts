import { type Clock, repeat } from "../base/clock.ts";
import { Limiter } from "../base/concurrency.ts";
import { UnavailableError } from "../base/unavailable.ts";
import { type Beat, type Leases, type ProcessTable, RESERVATION_MS_MAX } from "./processes.ts";

/** What a process is a member with. */
export interface MembershipParts {
  readonly table: ProcessTable;
  /** Its wall time is not looked at. */
  readonly clock: Clock;
  /** Whatever tells this process apart for people, for example its host and port. */
  readonly name: string;
  /** Hears of beats that failed, and of having been presumed dead. */
  readonly onError: (error: unknown) => void;
  readonly leases?: Leases | undefined;
}

/**
 * Ours: another process takes over within eight seconds, and a process may be held up for ten, by
 * the database or by its machine, before it has to begin anew.
 */
const LEASES_DEFAULT: Leases = { beatMs: 2_000, aliveMs: 10_000, leadMs: 6_000 };

/** Numbers reserved together: one transaction for so many segments (ours). */
const NUMBERS_AT_ONCE = 16;
/** Numbers kept for so long are not used any more, well before they are no longer reserved. */
const KEPT_MS_MAX = RESERVATION_MS_MAX / 2;

/** A process's place among those that serve a store; see processes.ts for what that means. */
export class Membership {
  readonly #parts: MembershipParts;
  readonly #leases: Leases;
  #number: number;
  #epoch = 0;
  /** Until when this process may take itself for the leader, on the clock that never jumps. */
  #leadsUntilMs = Number.NEGATIVE_INFINITY;
  /** What makes the database's time of the clock that never jumps; not a number before a beat. */
  #offsetMs = Number.NaN;
  #reserved: { readonly segments: number[]; readonly sinceMs: number } = emptyReserve();
  readonly #reserving = new Limiter(1);
  #beating: { stop(): Promise<void> } | undefined;
  #stopping: Promise<void> | undefined;
  /** The database's time, the same for all processes; between two beats, this process counts on. */
  readonly clock: Clock;

  private constructor(parts: MembershipParts, number: number) {
    this.#parts = parts;
    this.#leases = parts.leases ?? LEASES_DEFAULT;
    this.#number = number;
    const { clock } = parts;
    this.clock = {
      nowMs: () => Math.round(clock.monotonicMs() + this.#offsetMs),
      monotonicMs: () => clock.monotonicMs(),
      sleep: (durationMs, signal) => clock.sleep(durationMs, signal),
    };
  }

  /** Joins; from now on, this process is alive until it is stopped. */
  static async join(parts: MembershipParts): Promise<Membership> {
    const leases = parts.leases ?? LEASES_DEFAULT;
    const member = new Membership(parts, await parts.table.join(parts.name, leases));
    await member.#beat();
    // Presumed dead before it was heard of once, it has begun anew and knows no time yet.
    if (!member.#hasTime()) await member.#beat();
    if (!member.#hasTime()) {
      throw new UnavailableError("This process was presumed dead twice before it was heard of");
    }
    member.#beating = repeat(parts.clock, leases.beatMs, {
      work: () => member.#beat(),
      onError: parts.onError,
    });
    return member;
  }

  /** This process's number; another one after it was presumed dead. */
  get number(): number {
    return this.#number;
  }

  /** True while no other process leads, as far as this one can know. */
  isLeader(): boolean {
    return this.#parts.clock.monotonicMs() < this.#leadsUntilMs;
  }

  /** Of the latest time that this process began to lead. */
  get epoch(): number {
    return this.#epoch;
  }

  /**
   * The number of a segment to be written now, given to nobody else. Throws an `UnavailableError`
   * where none can be had.
   */
  nextSegment(): Promise<number> {
    return this.#reserving.run(() => this.#nextSegment());
  }

  async #nextSegment(): Promise<number> {
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs - this.#reserved.sinceMs > KEPT_MS_MAX) this.#reserved = emptyReserve();
    const known = this.#reserved.segments.shift();
    if (known !== undefined) return known;
    const number = this.#number;
    const segments = await this.#parts.table.reserve(number, NUMBERS_AT_ONCE);
    const [first, ...others] = segments ?? [];
    if (first === undefined) throw new UnavailableError("This process has been presumed dead");
    // Not when it was meanwhile, and began anew.
    if (number === this.#number) this.#reserved = { segments: others, sinceMs: nowMs };
    return first;
  }

  /** Leaves, once; another process may lead at once. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    await this.#beating?.stop();
    this.#leadsUntilMs = Number.NEGATIVE_INFINITY;
    await this.#parts.table.leave(this.#number);
  }

  async #beat(): Promise<void> {
    const { table, clock } = this.#parts;
    const sentMs = clock.monotonicMs();
    const beat = await table.beat(this.#number, this.#leases);
    if (beat) this.#note(beat, sentMs);
    else await this.#beginAnew();
  }

  #note({ isLeader, epoch, nowMs }: Beat, sentMs: number): void {
    const receivedMs = this.#parts.clock.monotonicMs();
    // From before it was sent: the database counts from later, so it lets go later than this.
    this.#leadsUntilMs = isLeader ? sentMs + this.#leases.leadMs : Number.NEGATIVE_INFINITY;
    if (isLeader) this.#epoch = epoch;
    const uncertaintyMs = (receivedMs - sentMs) / 2;
    const offsetMs = nowMs - (sentMs + uncertaintyMs);
    const isNews = Math.abs(offsetMs - this.#offsetMs) > uncertaintyMs + OFFSET_STEP_MS;
    const isBetter = isNews && uncertaintyMs < this.#leases.beatMs;
    // However rough the first is, it is better than none.
    if (isBetter || !this.#hasTime()) this.#offsetMs = offsetMs;
  }

  #hasTime(): boolean {
    return !Number.isNaN(this.#offsetMs);
  }

  async #beginAnew(): Promise<void> {
    const { table, name, onError } = this.#parts;
    this.#leadsUntilMs = Number.NEGATIVE_INFINITY;
    const before = this.#number;
    const number = await table.join(name, this.#leases);
    this.#reserved = emptyReserve();
    this.#number = number;
    onError(
      new Error(
        `This process was not heard of for ${this.#leases.aliveMs} ms and was presumed dead: ` +
          `what it had under way was refused, and it goes on as process ${number}, not ${before}`,
      ),
    );
  }
}

/** Steps smaller than that are not worth a time that jumps, in milliseconds (ours). */
const OFFSET_STEP_MS = 5;

function emptyReserve() {
  return { segments: [], sinceMs: Number.NEGATIVE_INFINITY };
}
