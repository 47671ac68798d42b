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
        const lines = [...headers].flat();
        if (body.length > 0 || method !== "GET") lines.push("content-length", String(body.length));
        // A list of headers is written as it is, without a look at each of them.
        const options = { ...address, method, path, headers: lines, setHost: false };
        const outgoing = send(options, (incoming) => {
          receive(incoming, request.responseSizeBytesMax).then(resolve, (error: unknown) => {
            // The rest of the response must not be taken for the next one's beginning.
            outgoing.destroy();
            reject(error);
          });
        });
        // Node's own handling of signals costs more than all the rest of a request's bookkeeping.
        const abandon = () => outgoing.destroy(ABANDONED);
        signal.addEventListener("abort", abandon, { once: true });
        outgoing.on("close", () => signal.removeEventListener("abort", abandon));
        // An error after a whole response no longer matters: the promise is settled by then.
        outgoing.on("error", reject);
        if (signal.aborted) abandon();
        else outgoing.end(body);
      }),
    close: () => {
      plain.destroy();
      secure.destroy();
    },
  };
}

/** Ends a request whose caller has given up; the caller knows why. */
const ABANDONED = new Error("The request was abandoned");

function receive(incoming: http.IncomingMessage, sizeBytesMax: number): Promise<ReceivedResponse> {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(incoming.headers)) headers.set(name, String(value));
  const declared = Number(headers.get("content-length") ?? Number.NaN);
  return new Promise((resolve, reject) => {
    const body = Number.isNaN(declared)
      ? new GrowingBody(sizeBytesMax)
      : new DeclaredBody(boundedSize(declared, sizeBytesMax));
    // Listeners rather than a loop over the stream, which costs a promise or two for each piece.
    incoming.on("data", (piece: Uint8Array) => {
      try {
        body.add(piece);
      } catch (error) {
        reject(error);
      }
    });
    incoming.on("end", () => {
      resolve({ status: incoming.statusCode ?? 0, headers, body: body.finish() });
    });
    incoming.on("error", reject);
    incoming.on("close", () => {
      // Without effect where the response has come to its end.
      reject(Object.assign(new Error("The response was cut off"), { code: "ECONNRESET" }));
    });
  });
}

/** A body of known length, in one buffer; Node's parser sees to it that it is all there. */
class DeclaredBody {
  readonly #bytes: Uint8Array;
  #length = 0;

  constructor(sizeBytes: number) {
    // Not zeroed: what is not written over is not given away.
    this.#bytes = Buffer.allocUnsafeSlow(sizeBytes);
  }

  add(piece: Uint8Array): void {
    this.#bytes.set(piece, this.#length);
    this.#length += piece.length;
  }

  /** Shorter where a length is declared and no body follows: for a HEAD, or a 304. */
  finish(): Uint8Array {
    const { buffer, byteOffset } = this.#bytes;
    return new Uint8Array(buffer, byteOffset, this.#length);
  }
}

/** A body that tells its length only by its end. */
class GrowingBody {
  readonly #sizeBytesMax: number;
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  constructor(sizeBytesMax: number) {
    this.#sizeBytesMax = sizeBytesMax;
  }

  add(piece: Uint8Array): void {
    this.#length = boundedSize(this.#length + piece.length, this.#sizeBytesMax);
    this.#pieces.push(piece);
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#pieces, this.#length);
  }
}
