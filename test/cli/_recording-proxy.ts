import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Service } from "../../src/service.ts";
import type { Cleanup } from "../support/temporary-directory.ts";

/** An exchange that went through: its answer was handed to the client's connection. */
export interface Exchange {
  readonly method: string;
  /** Of a block's path; NaN for others. */
  readonly blockIndex: number;
  readonly status: number;
}

/** Stands between the clients and a service, and remembers what was answered. */
export interface RecordingProxy {
  readonly endpoint: string;
  readonly exchanges: Exchange[];
  /** Called with each exchange. */
  onExchange: (exchange: Exchange) => void;
}

/** Forwards everything as it is, each answer later by some milliseconds. */
export async function recordingProxy(
  t: Cleanup,
  service: Service,
  delayMs: number,
): Promise<RecordingProxy> {
  const target = new URL(service.endpoint);
  const exchanges: Exchange[] = [];
  const forward = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const pieces: Buffer[] = [];
    for await (const piece of incoming) pieces.push(piece as Buffer);
    const { method = "", url: path = "", headers } = incoming;
    const answer = await ask({ method, path, headers }, Buffer.concat(pieces));
    await sleep(delayMs);
    if (outgoing.destroyed) return;
    outgoing.writeHead(answer.status, answer.headers).end(answer.body);
    const blockIndex = Number(/\/blocks\/(\d+)/.exec(path)?.[1] ?? Number.NaN);
    const exchange = { method, blockIndex, status: answer.status };
    exchanges.push(exchange);
    proxy.onExchange(exchange);
  };
  const ask = (
    head: { method: string; path: string; headers: IncomingMessage["headers"] },
    body: Buffer,
  ) =>
    new Promise<{ status: number; headers: IncomingMessage["headers"]; body: Buffer }>(
      (resolve, reject) => {
        const { hostname, port } = target;
        const sent = request({ ...head, hostname, port, agent: false }, async (response) => {
          const pieces: Buffer[] = [];
          for await (const piece of response) pieces.push(piece as Buffer);
          const { statusCode: status = 0, headers } = response;
          resolve({ status, headers, body: Buffer.concat(pieces) });
        });
        sent.once("error", reject).end(body);
      },
    );
  // A client that is killed in the middle of its request is what this is for.
  const server = createServer((incoming, outgoing) => {
    forward(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const endpoint = `http://127.0.0.1:${port}`;
  const proxy: RecordingProxy = { endpoint, exchanges, onExchange: () => undefined };
  return proxy;
}
