import { HttpConnection } from "./_http-connection.ts";
import type { Transport } from "./transport.ts";

/** How to speak with a service by Node's own means. */
export interface HttpTransportOptions {
  /** Connections to one service that are kept for later requests. */
  readonly connectionsMax: number;
  /** Certificates in PEM to trust instead of the usual authorities. */
  readonly ca?: string | undefined;
}

/** Speaks HTTP or HTTPS over kept-alive connections. */
export function createHttpTransport(options: HttpTransportOptions): Transport {
  const origins = new Map<string, Connections>();
  const connectionsTo = (endpoint: URL) => {
    const known = origins.get(endpoint.origin);
    if (known) return known;
    const connections = new Connections(endpoint, options);
    origins.set(endpoint.origin, connections);
    return connections;
  };
  return {
    async exchange(request, signal) {
      if (signal.aborted) throw ABANDONED;
      const connection = connectionsTo(request.endpoint).take();
      const abandon = () => connection.abandon(request, ABANDONED);
      signal.addEventListener("abort", abandon, { once: true });
      try {
        return await connection.exchange(request);
      } catch (error) {
        connection.destroy();
        throw error;
      } finally {
        signal.removeEventListener("abort", abandon);
      }
    },
    close: () => {
      for (const connections of origins.values()) connections.close();
    },
  };
}

/** Ends a request whose caller has given up; the caller knows why. */
const ABANDONED = new Error("The request was abandoned");
const CLOSED = new Error("The client was closed");

/** The connections to one service: those with a request, and those that wait for one. */
class Connections {
  readonly #endpoint: URL;
  readonly #options: HttpTransportOptions;
  readonly #all = new Set<HttpConnection>();
  /** The one used last comes last, and is used next: the others may then end. */
  readonly #free: HttpConnection[] = [];
  #session: Buffer | undefined;

  constructor(endpoint: URL, options: HttpTransportOptions) {
    this.#endpoint = endpoint;
    this.#options = options;
  }

  take(): HttpConnection {
    for (;;) {
      const connection = this.#free.pop();
      if (connection === undefined) return this.#open();
      if (connection.isUsable) return connection;
    }
  }

  close(): void {
    for (const connection of this.#all) connection.destroy(CLOSED);
  }

  #open(): HttpConnection {
    const { protocol, hostname, port } = this.#endpoint;
    const isSecure = protocol === "https:";
    const origin = {
      isSecure,
      host: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port || (isSecure ? 443 : 80)),
      ca: this.#options.ca,
      session: this.#session,
      onSession: (session: Buffer) => {
        this.#session = session;
      },
    };
    const connection = new HttpConnection(origin, {
      free: (freed) => this.#keep(freed),
      end: (ended) => this.#forget(ended),
    });
    this.#all.add(connection);
    return connection;
  }

  #keep(connection: HttpConnection): void {
    if (this.#free.length < this.#options.connectionsMax) this.#free.push(connection);
    else connection.destroy();
  }

  #forget(connection: HttpConnection): void {
    this.#all.delete(connection);
    const place = this.#free.indexOf(connection);
    if (place >= 0) this.#free.splice(place, 1);
  }
}
