import { byteLengthOf } from "../../base/bytes.ts";
import { boundedSize, type Transport } from "./transport.ts";

/** What the platform sets by itself, and lets nobody else set. */
const HEADERS_OF_THE_PLATFORM = new Set(["host", "content-length"]);

/** Speaks with a service through `fetch`, as browsers do; connections are the platform's affair. */
export function createFetchTransport(): Transport {
  const closed = new AbortController();
  return {
    async exchange({ endpoint, method, target, headers, body, responseSizeBytesMax }, signal) {
      const sent = [...headers].filter(([name]) => !HEADERS_OF_THE_PLATFORM.has(name));
      const response = await fetch(new URL(target, endpoint.origin), {
        method,
        headers: sent,
        ...(body.length > 0 ? { body: body as Uint8Array<ArrayBuffer> } : {}),
        // A signature holds for one address, and an answer is wanted from the service itself.
        redirect: "manual",
        cache: "no-store",
        credentials: "omit",
        signal: AbortSignal.any([signal, closed.signal]),
      });
      const { status } = response;
      const declared = Number(response.headers.get("content-length") ?? 0);
      boundedSize(declared, responseSizeBytesMax);
      const received = response.body ? await readToEnd(response.body, responseSizeBytesMax) : [];
      return { status, headers: new Map(response.headers), body: concat(received) };
    },
    close: () => closed.abort(new Error("The client was closed")),
  };
}

async function readToEnd(
  body: ReadableStream<Uint8Array>,
  sizeBytesMax: number,
): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return pieces;
      length = boundedSize(length + value.length, sizeBytesMax);
      pieces.push(value);
    }
  } catch (error) {
    await reader.cancel(error).catch(() => undefined);
    throw error;
  }
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(byteLengthOf(pieces));
  let length = 0;
  for (const piece of pieces) {
    whole.set(piece, length);
    length += piece.length;
  }
  return whole;
}
