import { connect as connectPlain, isIP, type Socket } from "node:net";
import { connect as connectSecure } from "node:tls";
import type { ReceivedResponse } from "../../wire/message.ts";
import { ResponseReader, type WholeResponse } from "./_response-reader.ts";
import type { OutgoingRequest } from "./transport.ts";

/** Milliseconds before the service closes an idle connection at which it is not used any more. */
const IDLE_MARGIN_MS = 1_000;
/** What may stand in the first line, and in the value of a header. */
const TARGET = /^[\x21-\x7e]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Where a connection leads. */
export interface Origin {
  readonly isSecure: boolean;
  readonly host: string;
  readonly port: number;
  /** Certificates in PEM to trust instead of the usual authorities. */
  readonly ca: string | undefined;
  /** What of an earlier connection spares the handshake of this one its longer half. */
  readonly session: Buffer | undefined;
  readonly onSession: (session: Buffer) => void;
}

interface Exchange {
  readonly request: OutgoingRequest;
  readonly resolve: (response: ReceivedResponse) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One connection, which carries one request at a time. It reads what is answered by hand, and
 * into the buffer in which it is wanted: of all that a block costs a client, what Node's own
 * client spends on reading it piece by piece and copying the pieces is the greatest part.
 */
export class HttpConnection {
  readonly #socket: Socket;
  readonly #reader = new ResponseReader();
  #exchange: Exchange | undefined;
  #isUsable = true;
  /** Called each time the connection is free for another request, and when it has ended. */
  readonly #onFree: (connection: HttpConnection) => void;
  readonly #onEnd: (connection: HttpConnection) => void;

  constructor(
    origin: Origin,
    on: {
      readonly free: (connection: HttpConnection) => void;
      readonly end: (connection: HttpConnection) => void;
    },
  ) {
    this.#onFree = on.free;
    this.#onEnd = on.end;
    this.#socket = this.#open(origin);
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("end", () => this.#end());
    this.#socket.on("timeout", () => this.destroy());
    this.#socket.on("close", () => {
      this.#end();
      this.#onEnd(this);
    });
  }

  /** True while it may be given a request, if it has none. */
  get isUsable(): boolean {
    return this.#isUsable && !this.#socket.destroyed;
  }

  /** Sends a request; resolves with the whole response. One at a time. */
  exchange(request: OutgoingRequest): Promise<ReceivedResponse> {
    const head = headOf(request);
    return new Promise((resolve, reject) => {
      this.#exchange = { request, resolve, reject };
      this.#reader.begin(request.responseSizeBytesMax);
      this.#socket.setTimeout(0);
      this.#socket.ref();
      this.#socket.cork();
      this.#socket.write(head, "latin1");
      if (request.body.length > 0) this.#socket.write(request.body);
      this.#socket.uncork();
    });
  }

  /** Ends the connection if it is that request which is under way. */
  abandon(request: OutgoingRequest, error: Error): void {
    if (this.#exchange?.request === request) this.destroy(error);
  }

  /** Ends the connection; a request under way is rejected with the error. */
  destroy(error?: Error): void {
    if (error) this.#fail(error);
    this.#isUsable = false;
    this.#socket.destroy();
  }

  #open({ isSecure, host, port, ca, session, onSession }: Origin): Socket {
    const onread = {
      buffer: () => this.#reader.room(),
      callback: (count: number) => {
        this.#take(count);
        return true;
      },
    };
    const options = { host, port, onread, noDelay: true, keepAlive: true };
    // With a function for its buffer a socket asks anew before each read; the types know of none.
    if (!isSecure) return connectPlain(options as unknown as Parameters<typeof connectPlain>[0]);
    const secure = connectSecure({
      ...(options as object),
      // An address has no name that a server could be asked for.
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(ca === undefined ? {} : { ca }),
      ...(session === undefined ? {} : { session }),
      ALPNProtocols: ["http/1.1"],
    });
    secure.on("session", onSession);
    return secure;
  }

  #take(count: number): void {
    // What comes without having been asked for would be taken for the next response.
    if (!this.#exchange) {
      this.destroy();
      return;
    }
    try {
      const whole = this.#reader.take(count);
      if (whole) this.#settle(whole);
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #settle({ response, staysOpen, idleMs }: WholeResponse): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    // Answered before all of it was sent: what is left would be the beginning of the next request.
    const isSent = this.#socket.writableLength === 0;
    const restMs = idleMs === undefined ? 0 : idleMs - IDLE_MARGIN_MS;
    if (staysOpen && isSent && restMs >= 0 && this.isUsable) {
      this.#socket.setTimeout(restMs);
      // Nobody's process is kept alive by a connection without a request.
      this.#socket.unref();
      this.#onFree(this);
    } else {
      this.destroy();
    }
    exchange?.resolve(response);
  }

  /** The other side has ended the connection: to some responses that is the end. */
  #end(): void {
    this.#isUsable = false;
    if (!this.#exchange) return;
    try {
      this.#settle(this.#reader.end());
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#isUsable = false;
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.reject(error);
  }
}

/** Throws for what would end the line it is in, or is no character of one. */
function headOf({ method, target, headers, body }: OutgoingRequest): string {
  if (!TARGET.test(target)) throw unsendable("path of the request");
  let head = `${method} ${target} HTTP/1.1\r\n`;
  for (const [name, value] of headers) {
    if (!VALUE.test(value)) throw unsendable(`header ${name}`);
    head += `${name}: ${value}\r\n`;
  }
  if (body.length > 0 || method !== "GET") head += `content-length: ${body.length}\r\n`;
  return `${head}connection: keep-alive\r\n\r\n`;
}

function unsendable(what: string): Error {
  const message = `The ${what} has a character that cannot be sent`;
  return Object.assign(new TypeError(message), { code: "ERR_INVALID_CHAR" });
}
