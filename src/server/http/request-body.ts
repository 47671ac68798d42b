import type { IncomingMessage, ServerResponse } from "node:http";
import { freeMemory } from "../../base/free-memory.ts";
import { invalid } from "../../model/errors.ts";
import { BLOCK_SIZE_BYTES, BODY_SIZE_BYTES_MAX } from "../../model/limits.ts";
import { ServiceFault } from "../../wire/errors.ts";
import type { Peer } from "./connections.ts";

/** A request whose body is to be read. */
export interface Incoming {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly peer: Peer;
}

/**
 * Bytes of an unwanted body read and thrown away, so that a client that reads no answer before it
 * has sent everything gets to read ours, and the connection stays (ours: four blocks).
 */
const DRAIN_BYTES_MAX = 2 * 1024 * 1024;

const NO_BYTES = new Uint8Array(0);

/** Reads a JSON or form body into memory; at most `BODY_SIZE_BYTES_MAX`. */
export async function readSmallBody(incoming: Incoming): Promise<Uint8Array> {
  if (isRead(incoming.req)) return NO_BYTES;
  const pieces: Uint8Array[] = [];
  let size = 0;
  if (lengthTold(incoming) > BODY_SIZE_BYTES_MAX) throw tooLarge();
  askForBody(incoming);
  await eachPiece(incoming, (piece) => {
    size += piece.length;
    if (size > BODY_SIZE_BYTES_MAX) throw tooLarge();
    pieces.push(piece);
    return true;
  });
  return Buffer.concat(pieces, size);
}

/**
 * Reads a block's bytes into `buffer`, which has room for a block; answers the part filled, which
 * may be shorter than a block. A body that does not fit is refused in the words of AWS.
 */
export async function readBlockBody(incoming: Incoming, buffer: Uint8Array): Promise<Uint8Array> {
  let size = 0;
  const tooLong = () => invalid("INVALID_PARAMETER_VALUE", "Failed to read block data");
  if (lengthTold(incoming) > BLOCK_SIZE_BYTES) throw tooLong();
  askForBody(incoming);
  await eachPiece(incoming, (piece) => {
    if (size + piece.length > BLOCK_SIZE_BYTES) throw tooLong();
    buffer.set(piece, size);
    size += piece.length;
    freeMemory(piece);
    return true;
  });
  return buffer.subarray(0, size);
}

/**
 * Throws away what is left of a body, so that an answer given early reaches a client that is
 * still sending. Answers false when there is too much of it: then the connection has to close.
 */
export async function drainBody(incoming: Incoming): Promise<boolean> {
  const { req } = incoming;
  if (req.readableEnded || isRead(req)) return true;
  if (isHeldBack(req) && !req.readableDidRead) return false;
  if (lengthTold(incoming) > DRAIN_BYTES_MAX) return false;
  let drained = 0;
  return await eachPiece(incoming, (piece) => {
    drained += piece.length;
    freeMemory(piece);
    return drained <= DRAIN_BYTES_MAX;
  });
}

/** True for a client that is still sending a body of which nothing is read any more. */
export function isSending({ req }: Incoming): boolean {
  return !req.complete && !isHeldBack(req);
}

function tooLarge(): ServiceFault {
  const message = `The request body is larger than ${BODY_SIZE_BYTES_MAX} bytes`;
  return new ServiceFault({ status: 413, code: "RequestEntityTooLargeException", message });
}

/** Bytes that the body may have, by its head: at most those that are read of it. */
export function bodyBytesMax(incoming: Incoming): number {
  const isTold = incoming.req.headers["transfer-encoding"] === undefined;
  return isTold ? lengthTold(incoming) : BODY_SIZE_BYTES_MAX;
}

/** Bytes of the body as its head tells; 0 where it does not. */
function lengthTold({ req }: Incoming): number {
  return Number(req.headers["content-length"] ?? 0);
}

/** True once all of the request has come and been read: then no time is spent on its end. */
function isRead({ complete, readableLength }: IncomingMessage): boolean {
  return complete && readableLength === 0;
}

function askForBody({ req, res }: Incoming): void {
  if (isHeldBack(req)) res.writeContinue();
}

/** True when the client holds its body back until it hears "100 Continue" or the final answer. */
function isHeldBack(req: IncomingMessage): boolean {
  // To HTTP 1.0 the header means nothing, and no answer but the final one may be sent.
  return req.headers.expect !== undefined && req.httpVersionMinor > 0;
}

/**
 * Hands over the pieces of a body as they arrive, until the end or until one is not wanted; then
 * it answers false, and the request stays open.
 */
async function eachPiece(
  { req, peer }: Incoming,
  take: (piece: Uint8Array) => boolean,
): Promise<boolean> {
  const arrive = peer.awaitBody();
  try {
    const pieces = req.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
    for await (const piece of pieces) if (!take(piece)) return false;
    return true;
  } finally {
    arrive();
  }
}
