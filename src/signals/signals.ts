import type { Clock } from "../base/clock.ts";
import { type EndedRequest, RecentActivity } from "./activity.ts";
import type { AuditLog } from "./audit-log.ts";
import type { StatusBoard } from "./status-board.ts";
import { StoreTally } from "./tally.ts";
import type { Tracing } from "./tracing.ts";

/** What the server tells of itself, and what it is told to tell others. */
export interface ServerSignals {
  readonly requests: RequestSignals;
  readonly board: StatusBoard;
  /** Undefined where no audit log is kept. */
  readonly audit: AuditLog | undefined;
  /** Undefined where nobody wants traces. */
  readonly tracing: Tracing | undefined;
}

/** Counts requests: what goes on now, and what went on in the last minutes. */
export class RequestSignals {
  readonly activity: RecentActivity;
  readonly tally: StoreTally;
  readonly #onEnded: ((request: EndedRequest) => void) | undefined;
  #inFlight = 0;

  /** `onEnded` hears of each request, too. */
  constructor(clock: Clock, onEnded?: (request: EndedRequest) => void) {
    this.activity = new RecentActivity(clock);
    this.tally = new StoreTally(clock);
    this.#onEnded = onEnded;
  }

  /** Requests being answered. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** A request's head has been read; `ended` follows, however that goes. */
  began(): void {
    this.#inFlight += 1;
  }

  /** Its answer has been sent, or its connection has ended. */
  ended(request: EndedRequest): void {
    this.#inFlight -= 1;
    this.activity.note(request);
    this.#onEnded?.(request);
    const { operation, status, snapshotId } = request;
    if (snapshotId === undefined || status >= 300) return;
    if (operation === "CompleteSnapshot") this.tally.uploadEnded(snapshotId);
    else if (operation === "VerifySnapshot") this.tally.verified(snapshotId);
  }
}
