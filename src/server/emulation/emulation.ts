import type { IncomingMessage, ServerResponse } from "node:http";
import type { AccountId } from "../../model/ids.ts";
import type { Core } from "../../snapshots/core.ts";
import type { WireResponse } from "../../wire/message.ts";
import type { OperationName } from "../../wire/operations.ts";
import type { Leniency } from "../access/leniency.ts";
import type { Peer } from "../http/connections.ts";

/*
 * What AWS does and Varve need not do, for people who test their clients: quotas, delays, faults,
 * and all that Varve does otherwise on purpose. It stands around the answering of requests; a
 * service without it runs none of this. What src/snapshots has to know of AWS, it is told by the
 * core that an operation sees, and by how its sealer is made.
 */

/** Which of it a service does; what is left out is off. */
export interface EmulationConfig {
  /** True for AWS's behaviour where ours is different on purpose, its delays among it. */
  readonly aws?: boolean | undefined;
  /** True to limit requests a second and pending snapshots as AWS does. */
  readonly quotas?: boolean | undefined;
  /**
   * Seconds after its start in which a snapshot takes no blocks, and after its completion in
   * which it can neither be read nor be a parent; up to `EMULATED_LAG_SECONDS_MAX`. With `aws`, in
   * place of AWS's own, and of its delays until a wrong completion or a timeout shows.
   */
  readonly lagSeconds?: number | undefined;
  /** About how many milliseconds each answer is delayed by; up to `EMULATED_LATENCY_MS_MAX`. */
  readonly latencyMs?: number | undefined;
  /** The share of requests that end in a fault, from 0 to 1. */
  readonly faultShare?: number | undefined;
  /** What latency and faults are drawn from, an unsigned 32-bit number; drawn if not given. */
  readonly seed?: number | undefined;
}

/** A request to be answered. */
export interface EmulatedRequest {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly peer: Peer;
}

/** An operation of the direct APIs about to be carried out for an account. */
export interface EmulatedOperation {
  readonly operation: OperationName;
  readonly account: AccountId;
  /** The snapshot in the path; StartSnapshot has none. */
  readonly snapshotId: string | undefined;
}

/** Answers a request, by doing the work or in another way. */
export type Link = (
  request: EmulatedRequest,
  work: () => Promise<WireResponse>,
) => Promise<WireResponse>;

/** The core as an operation is to see it; throws to refuse the operation. */
export type View = (core: Core, operation: EmulatedOperation) => Core;

/** All that is switched on, as one. */
export interface Emulation {
  readonly around: Link;
  readonly view: View;
  /** What is taken from signers of the direct APIs' operations that is refused otherwise. */
  readonly leniency: Leniency | undefined;
}

/** Thrown in place of an answer: the connection ends, after half of the answer if one is given. */
export class ConnectionCut extends Error {
  override readonly name = "ConnectionCut";
  readonly partOf: WireResponse | undefined;

  constructor(partOf?: WireResponse) {
    super("The connection is cut on purpose");
    this.partOf = partOf;
  }
}
