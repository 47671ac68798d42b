import http from "node:http";
import https from "node:https";
import type { ReceivedResponse } from "../wire/message.ts";

/** A signed request, ready to travel. */
export interface OutgoingRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** By lower-case name; `host` among them. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** Bytes; a longer response body is refused. */
  readonly responseSizeBytesMax: number;
}

/** Carries one request to the service and its whole response back. */
export interface Transport {
  /** Rejects when there is no whole response; leaves nothing running when the signal aborts. */
  exchange(request: OutgoingRequest, signal: AbortSignal): Promise<ReceivedResponse>;
  /** Closes all connections. */
  close(): void;
}

/** Speaks HTTP or HTTPS over kept-alive connections, at most that many at once. */
export function createHttpTransport(endpoint: URL, connectionsMax: number): Transport {
  const isSecure = endpoint.protocol === "https:";
  const bounds = { keepAlive: true, maxSockets: connectionsMax, maxFreeSockets: connectionsMax };
  const agent = isSecure ? new https.Agent(bounds) : new http.Agent(bounds);
  const send = isSecure ? https.request : http.request;
  const address = {
    agent,
    hostname: endpoint.hostname.replace(/^\[|\]$/g, ""),
    port: endpoint.port || (isSecure ? 443 : 80),
  };
  return {
    exchange: (request, signal) =>
      new Promise((resolve, reject) => {
        const { method, target: path, headers, body } = request;
        const options = { ...address, method, path, signal };
        const outgoing = send(options, (incoming) => {
          receive(incoming, request.responseSizeBytesMax).then(resolve, (error: unknown) => {
            // The rest of the response must not be taken for the next one's beginning.
            outgoing.destroy();
            reject(error);
          });
        });
        // An error after a whole response no longer matters: the promise is settled by then.
        outgoing.on("error", reject);
        for (const [name, value] of headers) outgoing.setHeader(name, value);
        if (body.length > 0 || method !== "GET") outgoing.setHeader("content-length", body.length);
        outgoing.end(body);
      }),
    close: () => agent.destroy(),
  };
}

async function receive(
  incoming: http.IncomingMessage,
  sizeBytesMax: number,
): Promise<ReceivedResponse> {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(incoming.headers)) headers.set(name, String(value));
  const declared = Number(headers.get("content-length") ?? Number.NaN);
  const body = Number.isNaN(declared)
    ? await readToEnd(incoming, sizeBytesMax)
    : await readLength(incoming, bounded(declared, sizeBytesMax));
  return { status: incoming.statusCode ?? 0, headers, body };
}

/** Reads a body of known length into one buffer; Node's parser sees to it that it is all there. */
async function readLength(
  incoming: AsyncIterable<Uint8Array>,
  sizeBytes: number,
): Promise<Uint8Array> {
  const body = new Uint8Array(sizeBytes);
  let length = 0;
  for await (const piece of incoming) {
    body.set(piece, length);
    length += piece.length;
  }
  // The answer to a HEAD, or a 304, declares a length and has no body.
  return length === sizeBytes ? body : body.subarray(0, length);
}

async function readToEnd(
  incoming: AsyncIterable<Uint8Array>,
  sizeBytesMax: number,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of incoming) {
    length = bounded(length + piece.length, sizeBytesMax);
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length);
}

function bounded(sizeBytes: number, sizeBytesMax: number): number {
  if (sizeBytes <= sizeBytesMax) return sizeBytes;
  throw new Error(
    `The response has ${sizeBytes} bytes or more; at most ${sizeBytesMax} make sense`,
  );
}
