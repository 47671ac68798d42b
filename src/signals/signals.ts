import type { Clock } from "../base/clock.ts";
import { type AnsweredRequest, RecentActivity } from "./activity.ts";
import type { AuditLog } from "./audit-log.ts";
import type { StatusBoard } from "./status-board.ts";
import { StoreTally } from "./tally.ts";

/** A request that has been answered, and what about. */
export interface EndedRequest extends AnsweredRequest {
  /** `ebs`, `ec2`, `sts`, `kms`, `s3`, or `varve` for operations of ours. */
  readonly service: string;
  /** The snapshot in its path, if there is one. */
  readonly snapshotId: string | undefined;
}

/** What the server tells of itself, and what it is told to tell others. */
export interface ServerSignals {
  readonly requests: RequestSignals;
  readonly board: StatusBoard;
  /** Undefined where no audit log is kept. */
  readonly audit: AuditLog | undefined;
}

/** Counts requests: what goes on now, and what went on in the last minutes. */
export class RequestSignals {
  readonly activity: RecentActivity;
  readonly tally: StoreTally;
  #inFlight = 0;

  constructor(clock: Clock) {
    this.activity = new RecentActivity(clock);
    this.tally = new StoreTally(clock);
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
    const { operation, status, snapshotId } = request;
    if (snapshotId === undefined || status >= 300) return;
    if (operation === "CompleteSnapshot") this.tally.uploadEnded(snapshotId);
    else if (operation === "VerifySnapshot") this.tally.verified(snapshotId);
  }
}
