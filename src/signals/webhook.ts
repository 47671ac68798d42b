import { createHmac } from "node:crypto";
import { type Clock, formatTimeMs, repeat } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { SnapshotTable } from "../catalog/catalog.ts";
import type { Notice, NoticeTable } from "../catalog/statistics.ts";
import type { Logger } from "../model/log.ts";

/** How often there is a look for notices, in milliseconds. */
const LOOK_INTERVAL_MS = 1_000;
/** Notices taken at once, and for how long nobody else gets them. */
const TAKEN_COUNT = 20;
const TAKEN_MS = 60_000;
/** A receiver has so many milliseconds to answer: it is to note and not to work (ours). */
const ANSWER_MS_MAX = 10_000;
/** Milliseconds between tries: at first, and at most. */
const RETRY_MS_FIRST = 1_000;
const RETRY_MS_MAX = 300_000;
/** A notice that is refused, and not only not taken now, is given up after so many tries. */
const REFUSALS_MAX = 5;
/** Notices that wait at most (ours): the oldest are forgotten. */
const WAITING_COUNT_MAX = 10_000;
/** Statuses from 400 to 499 that say "not now" rather than "never". */
const NOT_NOW: ReadonlySet<number> = new Set([408, 425, 429]);

/** What a webhook works with. */
export interface WebhookParts {
  readonly url: URL;
  /** What each delivery is signed with; undefined for none. */
  readonly secret: string | undefined;
  readonly notices: NoticeTable;
  readonly snapshots: Pick<SnapshotTable, "get">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** How many deliveries went how, since the start of the process. */
export interface DeliveryCounts {
  readonly delivered: number;
  readonly failed: number;
  readonly givenUp: number;
}

/**
 * Tells one address of what happens in the store: each notice at least once, in order. A notice is
 * written with the change it is about and waits in the catalog, so nothing that happens in the
 * service waits for the receiver, and a restart loses none.
 */
export class Webhook {
  readonly #parts: WebhookParts;
  readonly #stopped = new AbortController();
  #chore: { stop(): Promise<void> } | undefined;
  /** Taken and not delivered yet, in order. */
  #taken: Notice[] = [];
  #refusalCount = 0;
  #retryMs = RETRY_MS_FIRST;
  #waitsUntilMs = Number.NEGATIVE_INFINITY;
  #trouble: string | undefined;
  #counts: DeliveryCounts = { delivered: 0, failed: 0, givenUp: 0 };

  constructor(parts: WebhookParts) {
    this.#parts = parts;
  }

  /** What keeps it from delivering at the moment. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  get counts(): DeliveryCounts {
    return this.#counts;
  }

  /** Begins to deliver; once. */
  start(): void {
    const { clock, log } = this.#parts;
    this.#chore = repeat(clock, LOOK_INTERVAL_MS, {
      work: () => this.#look(),
      onError: (error) => log("Looking for what the webhook is to be told of failed", { error }),
    });
  }

  /** Ends; what was not delivered waits for the next start. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error("The service is ending"));
    await this.#chore?.stop();
  }

  async #look(): Promise<void> {
    const { clock, notices, log } = this.#parts;
    if (clock.monotonicMs() < this.#waitsUntilMs) return;
    const forgotten = await notices.trim(WAITING_COUNT_MAX);
    if (forgotten > 0) log("The webhook was not told of the oldest notices", { count: forgotten });
    if (this.#taken.length === 0) {
      const nowMs = clock.nowMs();
      this.#taken = await notices.take({ nowMs, untilMs: nowMs + TAKEN_MS }, TAKEN_COUNT);
    }
    while (this.#taken.length > 0 && !this.#stopped.signal.aborted) {
      const [notice] = this.#taken;
      if (!notice || !(await this.#deliver(notice))) return;
      this.#taken.shift();
      await notices.remove([notice.number]);
    }
  }

  /** False where it is to be tried again. */
  async #deliver(notice: Notice): Promise<boolean> {
    const failure = await this.#send(notice).catch((error: Error) => ({
      message: causeOf(error),
      isRefusal: false,
    }));
    if (failure === undefined) {
      this.#count("delivered");
      this.#succeed();
      return true;
    }
    if (this.#stopped.signal.aborted) return false;
    this.#refusalCount = failure.isRefusal ? this.#refusalCount + 1 : 0;
    if (this.#refusalCount >= REFUSALS_MAX) {
      this.#count("givenUp");
      const { number, kind } = notice;
      const reason = failure.message;
      this.#parts.log("The webhook refused a notice for good", { number, kind, reason });
      this.#succeed();
      return true;
    }
    this.#count("failed");
    this.#fail(failure.message);
    return false;
  }

  #succeed(): void {
    if (this.#trouble !== undefined) this.#parts.log("The webhook takes notices again", {}, "info");
    this.#trouble = undefined;
    this.#refusalCount = 0;
    this.#retryMs = RETRY_MS_FIRST;
  }

  #fail(message: string): void {
    const { clock, random, log } = this.#parts;
    // Told when it begins, not at each try.
    if (this.#trouble === undefined) {
      log("The webhook does not take a notice; it is tried again", { reason: message });
    }
    this.#trouble = message;
    this.#waitsUntilMs = clock.monotonicMs() + this.#retryMs * (0.5 + random.fraction() / 2);
    this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2);
  }

  /** Undefined where the receiver took it. */
  async #send(notice: Notice): Promise<Failure | undefined> {
    const { url, secret, clock } = this.#parts;
    const event = await this.#describe(notice);
    const body = JSON.stringify(event);
    const late = new AbortController();
    const timer = new AbortController();
    const tooLate = new Error(`It did not answer within ${ANSWER_MS_MAX / 1_000} s`);
    void clock.sleep(ANSWER_MS_MAX, timer.signal).then(
      () => late.abort(tooLate),
      () => undefined,
    );
    try {
      const response = await fetch(url, {
        ...{ method: "POST", body, redirect: "manual" },
        signal: AbortSignal.any([late.signal, this.#stopped.signal]),
        headers: {
          "Content-Type": "application/json",
          "User-Agent": "varve",
          "Varve-Event": event.Kind,
          "Varve-Delivery": String(notice.number),
          ...(secret === undefined ? {} : { "Varve-Signature": sign(secret, clock, body) }),
        },
      });
      await response.body?.cancel();
      return failureOf(response.status);
    } finally {
      timer.abort();
    }
  }

  /** Ids, states and times: nothing of what a snapshot is called or holds. */
  async #describe(notice: Notice): Promise<WebhookEvent> {
    const Time = formatTimeMs(this.#parts.clock.nowMs());
    const { number: Id } = notice;
    if (notice.kind === "damaged") {
      const { domain: Domain, name: Name, segment: Segment, offset: Offset } = notice;
      return { Id, Kind: "record.damaged", Time, Record: { Domain, Name, Segment, Offset } };
    }
    const snapshot = await this.#parts.snapshots.get(notice.id);
    return {
      ...{ Id, Kind: `snapshot.${notice.kind}`, Time },
      Snapshot: {
        SnapshotId: notice.id,
        OwnerId: notice.account,
        // Deleted meanwhile, there is no more to say.
        ...(snapshot && {
          ParentSnapshotId: snapshot.parent ?? null,
          VolumeSize: snapshot.volumeSizeGib,
          BlockCount: snapshot.blockCount,
          WrittenBlockCount: snapshot.writtenBlockCount,
          StartTime: formatTimeMs(snapshot.startTimeMs),
          CompletionTime:
            snapshot.completionTimeMs === undefined
              ? null
              : formatTimeMs(snapshot.completionTimeMs),
          StateMessage: snapshot.stateMessage ?? null,
        }),
      },
    };
  }

  #count(outcome: keyof DeliveryCounts): void {
    this.#counts = { ...this.#counts, [outcome]: this.#counts[outcome] + 1 };
  }
}

interface Failure {
  readonly message: string;
  /** True where trying again is not likely to help. */
  readonly isRefusal: boolean;
}

interface WebhookEvent {
  readonly Id: number;
  readonly Kind: string;
  readonly Time: string;
  readonly Snapshot?: object;
  readonly Record?: object;
}

function failureOf(status: number): Failure | undefined {
  if (status >= 200 && status < 300) return undefined;
  // A redirect is not followed: it could lead anywhere.
  const isRefusal = status >= 300 && status < 500 && !NOT_NOW.has(status);
  return { message: `It answered ${status}`, isRefusal };
}

/** `t=SECONDS,v1=HEX`: HMAC-SHA-256 of the seconds, a point and the body. */
function sign(secret: string, clock: Clock, body: string): string {
  const seconds = Math.floor(clock.nowMs() / 1_000);
  const mac = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
  return `t=${seconds},v1=${mac}`;
}

/** `fetch` says only that it failed; why, its cause says. */
function causeOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}
