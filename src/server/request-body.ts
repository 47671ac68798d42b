import type { IncomingMessage, ServerResponse } from "node:http";
import { invalid } from "../model/errors.ts";
import { BLOCK_SIZE_BYTES, BODY_SIZE_BYTES_MAX } from "../model/limits.ts";
import { ServiceFault } from "../wire/errors.ts";

/** Bytes of an unwanted body read and thrown away so that the client gets to read our answer. */
const DRAIN_BYTES_MAX = 2 * 1024 * 1024;

/** Reads a JSON or form body into memory; at most 64 KiB. */
export async function readSmallBody(
  req: IncomingMessage,
  res: ServerResponse,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of bodyOf(req, res)) {
    size += piece.length;
    if (size > BODY_SIZE_BYTES_MAX) {
      throw new ServiceFault({
        status: 413,
        code: "RequestEntityTooLargeException",
        message: `The request body is larger than ${BODY_SIZE_BYTES_MAX} bytes`,
      });
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces, size);
}

/**
 * Reads a block's bytes into `buffer`, which has room for a block; answers the part filled, which
 * may be shorter than a block. A body that does not fit is refused in the words of AWS.
 */
export async function readBlockBody(
  req: IncomingMessage,
  res: ServerResponse,
  buffer: Uint8Array,
): Promise<Uint8Array> {
  let size = 0;
  for await (const piece of bodyOf(req, res)) {
    if (size + piece.length > BLOCK_SIZE_BYTES) {
      throw invalid("INVALID_PARAMETER_VALUE", "Failed to read block data");
    }
    buffer.set(piece, size);
    size += piece.length;
  }
  return buffer.subarray(0, size);
}

/** The pieces of a body as they arrive. Leaving the loop early leaves the request open. */
function bodyOf(req: IncomingMessage, res: ServerResponse): AsyncIterable<Uint8Array> {
  if (req.headers.expect !== undefined) res.writeContinue();
  return req.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
}

/**
 * Throws away what is left of a body, so that an answer given early reaches a client that is
 * still sending. Answers false when there is too much of it: then the connection has to close.
 */
export async function drainBody(req: IncomingMessage): Promise<boolean> {
  if (req.readableEnded) return true;
  // The client holds its body back until it hears "100 Continue" or, as now, the final answer.
  if (req.headers.expect !== undefined && !req.readableDidRead) return false;
  let drained = 0;
  for await (const piece of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    drained += piece.length;
    if (drained > DRAIN_BYTES_MAX) return false;
  }
  return true;
}
