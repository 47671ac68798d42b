import type { Clock } from "../../base/clock.ts";
import { seededFraction } from "../../base/random.ts";
import { ServiceError } from "../../model/errors.ts";
import { BLOCK_SIZE_BYTES, EMULATED_STALL_MS_MAX } from "../../model/limits.ts";
import { ServiceFault } from "../../wire/errors.ts";
import type { WireResponse } from "../../wire/message.ts";
import { matchRoute } from "../../wire/operations.ts";
import { drainBody } from "../http/request-body.ts";
import { sleepWhileHeard } from "./_sleep.ts";
import { ConnectionCut, type EmulatedRequest, type Link } from "./emulation.ts";
import { accountThrottled } from "./quotas.ts";

/** How a request ends badly; the last only where a block is read. */
const KINDS = ["500", "503", "throttled", "cut", "cut-midway", "stalled", "corrupt"] as const;

/** How one request ends badly. */
export interface Fault {
  readonly kind: (typeof KINDS)[number];
  /** True when the work is done and its answer lost, false when nothing is done. */
  readonly isAfterWork: boolean;
  /** Where in an answer, as a share of it, it is cut or wrong. */
  readonly place: number;
}

/**
 * Makes that share of requests end in a fault, before the work or after it. What happens to the
 * n-th request depends on the seed, n, and whether it is a GetSnapshotBlock; on nothing else.
 */
export function faults(clock: Clock, share: number, seed: number): Link {
  const draw = faultDrawer(share, seed);
  return async (request, work) => {
    const fault = draw(isBlockRead(request));
    if (fault === undefined) return work();
    if (fault.isAfterWork) return spoil(fault, { clock, request, work });
    await drainBody(request);
    if (fault.kind === "stalled") await stall(clock, request);
    throw errorOf(fault);
  };
}

/** Answers, request by request, which fault it ends in; undefined for none. */
export function faultDrawer(
  share: number,
  seed: number,
): (isBlockRead: boolean) => Fault | undefined {
  const fraction = seededFraction(seed);
  return (isBlockRead) => {
    // Four draws for each request, needed or not, so that one request does not shift the next.
    const [chance, which, side, place] = [fraction(), fraction(), fraction(), fraction()];
    if (chance >= share) return undefined;
    const kinds = isBlockRead ? KINDS : KINDS.slice(0, -1);
    const kind = kinds[Math.floor(which * kinds.length)] as Fault["kind"];
    // Of these there is nothing to see without an answer.
    const needsAnswer = kind === "cut-midway" || kind === "corrupt";
    return { kind, isAfterWork: needsAnswer || side < 0.5, place };
  };
}

function isBlockRead({ req }: EmulatedRequest): boolean {
  const path = (req.url ?? "").split("?", 1)[0] ?? "";
  return matchRoute(req.method ?? "", path)?.operation === "GetSnapshotBlock";
}

interface Spoiling {
  readonly clock: Clock;
  readonly request: EmulatedRequest;
  readonly work: () => Promise<WireResponse>;
}

/** Does the work and loses or damages its answer. An error of ours is not hidden by it. */
async function spoil(fault: Fault, { clock, request, work }: Spoiling): Promise<WireResponse> {
  const answer = await work().catch((error: unknown) => {
    if (error instanceof ServiceFault || error instanceof ServiceError) return error;
    throw error;
  });
  if (fault.kind === "stalled") await stall(clock, request);
  if (answer instanceof Error) throw isOfAnswer(fault) ? answer : errorOf(fault);
  if (fault.kind === "stalled") return answer;
  if (fault.kind === "corrupt") return corrupted(answer, fault.place);
  if (fault.kind === "cut-midway") throw new ConnectionCut(answer);
  throw errorOf(fault);
}

/** True for faults that leave an error answer as it is: it is only late, or holds no block. */
function isOfAnswer({ kind }: Fault): boolean {
  return kind === "stalled" || kind === "corrupt";
}

function stall(clock: Clock, { res }: EmulatedRequest): Promise<void> {
  return sleepWhileHeard(clock, EMULATED_STALL_MS_MAX, res);
}

function errorOf({ kind }: Fault): Error {
  if (kind === "500") {
    const message = "An internal error has occurred. Please retry your request.";
    return new ServiceError("InternalServerException", undefined, message);
  }
  if (kind === "503") {
    const message = "Service is temporarily unavailable";
    return new ServiceFault({ status: 503, code: "ServiceUnavailableException", message });
  }
  return kind === "throttled" ? accountThrottled() : new ConnectionCut();
}

/** The block with one bit of one byte turned; the checksum in its header stays the right one. */
function corrupted(answer: WireResponse, place: number): WireResponse {
  const { body } = answer;
  if (typeof body === "string" || body.length !== BLOCK_SIZE_BYTES) return answer;
  // A copy: the bytes may be shared with other answers.
  const bytes = Uint8Array.from(body);
  const offset = Math.floor(place * bytes.length);
  bytes[offset] = (bytes[offset] as number) ^ 1;
  return { ...answer, body: bytes };
}
