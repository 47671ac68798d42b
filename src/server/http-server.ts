import { createServer, type Server } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { assert } from "../base/assert.ts";
import { type Clock, waitAtMost } from "../base/clock.ts";
import { randomUuid } from "../base/random.ts";
import {
  BACKLOG_COUNT_MAX,
  HEADERS_SIZE_BYTES_MAX,
  LONG_TURN_WAIT_MS_MAX,
} from "../model/limits.ts";
import { answer } from "./exchange.ts";
import type { ExchangeParts } from "./exchange-parts.ts";
import { Connections } from "./http/connections.ts";
import { Pipeline } from "./http/pipeline.ts";
import { Turns } from "./http/turns.ts";

/** What a server proves with who it is, in PEM; the certificate with those that vouch for it. */
export interface TlsIdentity {
  readonly certificate: string | Uint8Array;
  readonly key: string | Uint8Array;
}

/** Where to listen, and whether encrypted; port 0 takes any free port. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsIdentity | undefined;
}

/** A listening server. */
export interface HttpServer {
  /** The port listened on. */
  readonly port: number;
  /** Has new connections see another certificate. Throws where it is no good, or without TLS. */
  renew(tls: TlsIdentity): void;
  /** Takes no more requests, answers those under way, then closes. */
  close(): Promise<void>;
}

/*
 * Deadlines of a connection in milliseconds (ours). Node's own let a slow client hold one for
 * minutes. A request of 512 KiB at the slowest useful rate, 64 KiB a second, takes 8 s.
 */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_TIMEOUT_MS = 15_000;
const CHECK_INTERVAL_MS = 1_000;
/** How long requests under way may take to end when the server closes. */
const CLOSE_GRACE_MS = 10_000;

/** Starts listening. Rejects when the address cannot be had. */
export async function listen(
  given: Omit<ExchangeParts, "connections" | "turns" | "longTurns">,
  address: ListenAddress,
): Promise<HttpServer> {
  const connections = new Connections(given.clock, { isEncrypted: address.tls !== undefined });
  const { clock } = given;
  const parts = {
    ...{ ...given, connections },
    ...{ turns: new Turns(clock), longTurns: new Turns(clock, LONG_TURN_WAIT_MS_MAX) },
  };
  const server = createServerFor(address.tls);
  // Node would drop the headers above a count without a word; here they are refused.
  server.maxHeadersCount = 0;
  server.on("connection", (socket: Socket) => connections.add(socket));
  // Also ends connections whose peer has stopped reading or sending in the middle of something.
  server.setTimeout(REQUEST_TIMEOUT_MS, (socket) => socket.destroy());
  const pipeline = new Pipeline((req, res) => answer(parts, req, res));
  const onRequest = pipeline.take.bind(pipeline);
  server.on("request", onRequest);
  // With `Expect: 100-continue` the body is asked for only when the signature has been verified.
  server.on("checkContinue", onRequest);
  // Other expectations are refused in their turn like everything else.
  server.on("checkExpectation", onRequest);
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    refuseUnparsable(error, socket, randomUuid(parts.random));
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      const { port, host } = address;
      server.listen({ port, host, backlog: BACKLOG_COUNT_MAX }, resolve);
    });
  } catch (error) {
    await connections.stop();
    throw error;
  }
  return {
    port: (server.address() as AddressInfo).port,
    renew(tls) {
      assert(address.tls !== undefined, "the server speaks TLS");
      (server as TlsServer).setSecureContext(contextOf(tls));
    },
    close: () => close(server, clock, pipeline).finally(() => connections.stop()),
  };
}

function createServerFor(tls: TlsIdentity | undefined): Server {
  const options = {
    maxHeaderSize: HEADERS_SIZE_BYTES_MAX,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    noDelay: true,
    // Node would refuse by itself, without a word to us, what a client sends ahead.
    requireHostHeader: false,
  };
  if (!tls) return createServer(options);
  return createTlsServer({ ...options, ...contextOf(tls), handshakeTimeout: HEADERS_TIMEOUT_MS });
}

/** A certificate and its key as Node takes them. */
export function contextOf({ certificate: cert, key }: TlsIdentity) {
  const bytes = (pem: string | Uint8Array) => (typeof pem === "string" ? pem : Buffer.from(pem));
  return { cert: bytes(cert), key: bytes(key), minVersion: "TLSv1.2" as const };
}

/** Answers bytes that are no HTTP request, as far as the socket still takes an answer. */
function refuseUnparsable(error: NodeJS.ErrnoException, socket: Socket, requestId: string): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = STATUS_OF_PARSE_ERROR[error.code ?? ""] ?? "400 Bad Request";
  const body = `{"message":"${status.slice(4)}"}`;
  const answer =
    `HTTP/1.1 ${status}\r\nx-amzn-RequestId: ${requestId}\r\n` +
    "x-amzn-ErrorType: MalformedRequestException\r\nContent-Type: application/json\r\n" +
    "X-Content-Type-Options: nosniff\r\n" +
    `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
  // Node leaves the socket to us from here on; a peer that never closes its side must not keep it.
  socket.end(answer, () => socket.destroy());
}

const STATUS_OF_PARSE_ERROR: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
};

/** Resolves when no work for any request goes on any more, also for clients that have left. */
async function close(server: Server, clock: Clock, pipeline: Pipeline): Promise<void> {
  const closed = new Promise<void>((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()));
  });
  server.closeIdleConnections();
  await waitAtMost(clock, CLOSE_GRACE_MS, closed);
  server.closeAllConnections();
  await closed;
  await pipeline.drain();
}
