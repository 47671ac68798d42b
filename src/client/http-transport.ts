import http from "node:http";
import https from "node:https";
import type { ReceivedResponse } from "../wire/message.ts";
import { boundedSize, type Transport } from "./transport.ts";

/** How to speak with a service by Node's own means. */
export interface HttpTransportOptions {
  /** Connections to one service at once. */
  readonly connectionsMax: number;
  /** Certificates in PEM to trust instead of the usual authorities. */
  readonly ca?: string | undefined;
}

/** Speaks HTTP or HTTPS over kept-alive connections. */
export function createHttpTransport({ connectionsMax, ca }: HttpTransportOptions): Transport {
  const bounds = { keepAlive: true, maxSockets: connectionsMax, maxFreeSockets: connectionsMax };
  const plain = new http.Agent(bounds);
  const secure = new https.Agent(ca === undefined ? bounds : { ...bounds, ca });
  return {
    exchange: (request, signal) =>
      new Promise((resolve, reject) => {
        const { endpoint, method, target: path, headers, body } = request;
        const isSecure = endpoint.protocol === "https:";
        const send = isSecure ? https.request : http.request;
        const address = {
          agent: isSecure ? secure : plain,
          hostname: endpoint.hostname.replace(/^\[|\]$/g, ""),
          port: endpoint.port || (isSecure ? 443 : 80),
        };
        const outgoing = send({ ...address, method, path, signal }, (incoming) => {
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
    close: () => {
      plain.destroy();
      secure.destroy();
    },
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
    : await readLength(incoming, boundedSize(declared, sizeBytesMax));
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
    length = boundedSize(length + piece.length, sizeBytesMax);
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length);
}
