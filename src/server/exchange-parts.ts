import type { IncomingMessage, ServerResponse } from "node:http";
import type { Random } from "../base/random.ts";
import type { Principal } from "../identity/principal.ts";
import type { SessionTokens } from "../identity/session-tokens.ts";
import type { ServerSignals } from "../signals/signals.ts";
import type { Core } from "../snapshots/core.ts";
import type { CallAudit } from "./access/audit-calls.ts";
import type { AuthenticationParts } from "./access/authenticate.ts";
import type { Caller } from "./access/authorize.ts";
import type { RequestFacts } from "./access/request-facts.ts";
import type { AnswerConsole } from "./console.ts";
import type { Emulation } from "./emulation/emulation.ts";
import type { AnswerHealth } from "./health.ts";
import type { BufferPool } from "./http/buffer-pool.ts";
import type { Connections, Peer } from "./http/connections.ts";
import type { Turns } from "./http/turns.ts";

/** What answering requests takes. */
export interface ExchangeParts extends AuthenticationParts {
  readonly core: Core;
  readonly random: Random;
  readonly sessions: SessionTokens;
  readonly buffers: BufferPool;
  readonly connections: Connections;
  /** Who may make a page of blocks now. */
  readonly turns: Turns;
  /** Who may have a snapshot gone through now. */
  readonly longTurns: Turns;
  readonly answerConsole: AnswerConsole;
  readonly answerHealth: AnswerHealth;
  /** Quotas, delays and faults on purpose; undefined for none. */
  readonly emulation: Emulation | undefined;
  readonly signals: ServerSignals;
  /** Notes who did what; undefined where no audit log is kept. */
  readonly callAudit: CallAudit | undefined;
  /** Hears of errors that are not the caller's: they are answered with 500 and must be seen. */
  readonly onError: (requestId: string, error: unknown) => void;
  /** Hears of each request that was answered, if anybody wants to. */
  readonly onAnswered: ((request: AccessLine) => void) | undefined;
}

/** What is said of one request. The path is there without its query, where tokens travel. */
export interface AccessLine {
  readonly requestId: string;
  readonly sourceIp: string | undefined;
  readonly accessKeyId: string | undefined;
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly service: string;
  readonly operation: string;
  readonly status: number;
  /** To the end of the answer, with two digits after the point. */
  readonly durationMs: string;
  readonly [other: string]: unknown;
}

/** One request and what its answer goes to. */
export interface Exchange {
  readonly requestId: string;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly peer: Peer;
  readonly facts: RequestFacts;
  /** Lends a buffer until the request is done with and its answer sent. */
  readonly borrow: () => Promise<Uint8Array>;
}

/** Who calls, once that is proved. */
export function callerOf({ req }: Exchange, principal: Principal): Caller {
  const sourceIp = req.socket.remoteAddress;
  // The connection has closed; nothing is decided for an address that is not known.
  if (sourceIp === undefined) throw new Error("The client has gone away");
  return { principal, sourceIp };
}
