import { hash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Server as TlsServer } from "node:tls";
import { contextOf, type ListenAddress, type TlsIdentity } from "./http-server.ts";

/** What is scraped. */
export interface ScrapedText {
  readonly contentType: string;
  text(): Promise<string>;
}

/** Where metrics are scraped, and by whom. */
export interface MetricsAddress extends ListenAddress {
  /** What a scraper has to show as `Authorization: Bearer TOKEN`; undefined lets everybody. */
  readonly token?: string | undefined;
}

/** A listening server for metrics. */
export interface MetricsServer {
  readonly port: number;
  /** Has new connections see another certificate; does nothing without TLS. Throws if no good. */
  renew(identity: TlsIdentity): void;
  close(): Promise<void>;
}

/** A scraper needs no more connections (ours): others wait until one is free. */
const CONNECTIONS_COUNT_MAX = 16;
/** Milliseconds for a request, which has no body, to arrive. */
const REQUEST_TIMEOUT_MS = 10_000;
const TLS_OPTIONS = { handshakeTimeout: REQUEST_TIMEOUT_MS };

/**
 * Listens on an address of its own for `GET /metrics` and nothing else, so that who may scrape is
 * decided apart from who may use the service. Rejects when the address cannot be had.
 */
export async function listenForScrapes(
  metrics: ScrapedText,
  { host, port, tls, token }: MetricsAddress,
  onError: (error: unknown) => void,
): Promise<MetricsServer> {
  const options = { headersTimeout: REQUEST_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS };
  const onRequest = (req: IncomingMessage, res: ServerResponse) => {
    void answer(metrics, { req, res, token }).catch((error: unknown) => {
      onError(error);
      if (res.headersSent) res.destroy();
      else res.writeHead(500).end();
    });
  };
  const server: Server = tls
    ? createTlsServer({ ...options, ...TLS_OPTIONS, ...contextOf(tls) }, onRequest)
    : createServer(options, onRequest);
  server.maxConnections = CONNECTIONS_COUNT_MAX;
  server.setTimeout(REQUEST_TIMEOUT_MS, (socket) => socket.destroy());
  // Node's own list of connections leaves out those that have not shaken hands yet.
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    renew(identity) {
      if (tls) (server as Server & TlsServer).setSecureContext(contextOf(identity));
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function answer(
  metrics: ScrapedText,
  { req, res, token }: { req: IncomingMessage; res: ServerResponse; token: string | undefined },
): Promise<void> {
  const path = req.url?.split("?")[0];
  if (path !== "/metrics") return void res.writeHead(404).end("Metrics are at /metrics.\n");
  if (req.method !== "GET" && req.method !== "HEAD") {
    return void res.writeHead(405, { Allow: "GET, HEAD" }).end();
  }
  if (token !== undefined && !isBearer(req.headers.authorization, token)) {
    const challenge = { "WWW-Authenticate": 'Bearer realm="varve metrics"' };
    return void res.writeHead(401, challenge).end("Give the token that this service has.\n");
  }
  const text = Buffer.from(await metrics.text());
  const headers = { "Content-Type": metrics.contentType, "Content-Length": text.length };
  res.writeHead(200, { ...headers, "Cache-Control": "no-store" });
  res.end(req.method === "HEAD" ? undefined : text);
}

/** Takes the same time whatever was sent. */
function isBearer(header: string | undefined, token: string): boolean {
  const sent = hash("sha256", header ?? "", "buffer");
  return timingSafeEqual(sent, hash("sha256", `Bearer ${token}`, "buffer"));
}
