import { type Clock, formatTimeMs } from "../base/clock.ts";
import type { Activity, ActivityPoint, LatencyQuantiles } from "../wire/admin/status.ts";

/** Length of one interval, in seconds: as fine as a chart of minutes needs (ours). */
const INTERVAL_SECONDS = 5;
/** Intervals that are remembered: five minutes. */
const KEPT_COUNT = 60;
/** Each bucket of latencies ends where a latency is so much longer. */
const BUCKET_FACTOR = 1.2;
/** End of the first bucket, in milliseconds. */
const FIRST_MS = 0.1;
/** Enough for a minute, which is how long a request may take. */
const BUCKET_COUNT = 76;

/** One answered request, as far as it counts. */
export interface AnsweredRequest {
  readonly operation: string;
  readonly status: number;
  readonly durationMs: number;
  /** Bytes of a block that was read. */
  readonly readBytes: number;
  /** Bytes of a block that was written. */
  readonly writtenBytes: number;
}

/** A request that has been answered, and what about. */
export interface EndedRequest extends AnsweredRequest {
  /** `ebs`, `ec2`, `sts`, `kms`, `s3`, or `varve` for operations of ours. */
  readonly service: string;
  /** The snapshot in its path, if there is one. */
  readonly snapshotId: string | undefined;
}

/** What this process answered in the last minutes. Costs a few additions for each request. */
export class RecentActivity {
  readonly #clock: Clock;
  readonly #over: ActivityPoint[] = [];
  #current: Interval;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#current = new Interval(this.#numberOfNow(), clock.nowMs());
  }

  /** Counts a request that has been answered. */
  note(request: AnsweredRequest): void {
    this.#turn();
    this.#current.note(request);
  }

  /** The intervals that are over, oldest first; those in which nothing came, too. */
  points(): Omit<Activity, "InFlight"> {
    this.#turn();
    return { IntervalSeconds: INTERVAL_SECONDS, Points: [...this.#over] };
  }

  /** Ends intervals whose time is up. */
  #turn(): void {
    const now = this.#numberOfNow();
    // After a long silence, only what is still remembered.
    const from = Math.max(this.#current.number, now - KEPT_COUNT - 1);
    for (let number = from; number < now; number++) {
      this.#over.push(this.#current.point());
      if (this.#over.length > KEPT_COUNT) this.#over.shift();
      const ageMs = (now - number - 1) * INTERVAL_SECONDS * 1_000;
      this.#current = new Interval(number + 1, this.#clock.nowMs() - ageMs);
    }
  }

  /** Counted on the clock that never jumps. */
  #numberOfNow(): number {
    return Math.floor(this.#clock.monotonicMs() / (INTERVAL_SECONDS * 1_000));
  }
}

class Interval {
  readonly number: number;
  readonly #startMs: number;
  #requestCount = 0;
  #refusedCount = 0;
  #failedCount = 0;
  #readBytes = 0;
  #writtenBytes = 0;
  #puts: Latencies | undefined;
  #gets: Latencies | undefined;

  constructor(number: number, startMs: number) {
    this.number = number;
    this.#startMs = startMs;
  }

  note({ operation, status, durationMs, readBytes, writtenBytes }: AnsweredRequest): void {
    this.#requestCount += 1;
    if (status >= 500) this.#failedCount += 1;
    else if (status >= 400) this.#refusedCount += 1;
    this.#readBytes += readBytes;
    this.#writtenBytes += writtenBytes;
    if (operation === "PutSnapshotBlock") {
      this.#puts ??= new Latencies();
      this.#puts.note(durationMs);
    } else if (operation === "GetSnapshotBlock") {
      this.#gets ??= new Latencies();
      this.#gets.note(durationMs);
    }
  }

  point(): ActivityPoint {
    return {
      Time: formatTimeMs(this.#startMs),
      RequestCount: this.#requestCount,
      RefusedCount: this.#refusedCount,
      FailedCount: this.#failedCount,
      ReadBytes: this.#readBytes,
      WrittenBytes: this.#writtenBytes,
      PutLatency: this.#puts?.quantiles() ?? null,
      GetLatency: this.#gets?.quantiles() ?? null,
    };
  }
}

/** Latencies counted in buckets that grow, so that a quantile is right to within a bucket. */
class Latencies {
  readonly #counts = new Uint32Array(BUCKET_COUNT);
  #count = 0;

  note(durationMs: number): void {
    const bucket = Math.ceil(Math.log(durationMs / FIRST_MS) / Math.log(BUCKET_FACTOR));
    const at = Math.min(Math.max(bucket, 0), BUCKET_COUNT - 1);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#count += 1;
  }

  quantiles(): LatencyQuantiles {
    return { P50: this.#quantile(0.5), P99: this.#quantile(0.99) };
  }

  /** The end of the bucket in which that share of all is reached, to a hundredth. */
  #quantile(share: number): number {
    let left = share * this.#count;
    const bucket = this.#counts.findIndex((count) => {
      left -= count;
      return left <= 0;
    });
    return Math.round(FIRST_MS * BUCKET_FACTOR ** bucket * 100) / 100;
  }
}
