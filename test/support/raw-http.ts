import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { nodeCrypto } from "../../src/client/call/node-crypto.ts";
import { type RequestParts, request } from "../../src/wire/message.ts";
import {
  EMPTY_PAYLOAD_HASH,
  formatSigningTime,
  type SigningOptions,
  signRequest,
} from "../../src/wire/signature.ts";

/*
 * HTTP as bytes on a socket, so that a test can send what no client would, and see the answer as
 * it was written: the spelling and order of headers, and whether the connection was closed.
 */

/** A header as it goes over the wire. */
export type HeaderLine = readonly [name: string, value: string];

/** A request, every part of which goes over the wire as it stands here. */
export interface RawRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly HeaderLine[];
  readonly body: Uint8Array;
}

/** A response as it came over the wire. */
export interface RawResponse {
  readonly status: number;
  readonly headers: readonly HeaderLine[];
  readonly body: Buffer;
  /** The body as text. */
  readonly text: string;
  /** The value of the header spelled exactly so. */
  header(name: string): string | undefined;
}

/** The parts of a service that sending to it takes. */
export interface Target {
  readonly endpoint: string;
  readonly region: string;
  readonly firstKey: {
    readonly key: {
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      /** With temporary credentials. */
      readonly sessionToken?: string | undefined;
    };
  };
  /** The clock requests are dated by; the machine's if none. */
  readonly clock?: Clock | undefined;
}

/** What a test changes about a signature; the rest is right. */
export type Signing = Partial<SigningOptions>;

/** A request signed as a client signs it, ready to be spoilt. */
export function sign(target: Target, parts: RequestParts, changes: Signing = {}): RawRequest {
  const wire = request(parts);
  const headers = signRequest(wire, {
    credentials: target.firstKey.key,
    host: new URL(target.endpoint).host,
    dateTime: formatSigningTime((target.clock ?? systemClock).nowMs()),
    region: target.region,
    service: "ebs",
    payloadHash: wire.body.length > 0 ? nodeCrypto.sha256Hex(wire.body) : EMPTY_PAYLOAD_HASH,
    crypto: nodeCrypto,
    ...changes,
  });
  const query = wire.query === "" ? "" : `?${wire.query}`;
  return {
    method: wire.method,
    target: wire.path + query,
    headers: [...headers, ["content-length", String(wire.body.length)]],
    body: wire.body,
  };
}

/** The request with some headers changed, added, or taken away where the value is undefined. */
export function withHeaders(
  raw: RawRequest,
  changes: Readonly<Record<string, string | undefined>>,
): RawRequest {
  const kept = raw.headers.filter(([name]) => !Object.hasOwn(changes, name));
  const added = Object.entries(changes).filter((entry): entry is [string, string] => {
    return entry[1] !== undefined;
  });
  return { ...raw, headers: [...kept, ...added] };
}

/** Line and headers of a request as bytes. */
export function encodeHead({ method, target, headers }: Omit<RawRequest, "body">): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1");
}

/** A whole request as bytes. */
export function encode(raw: RawRequest): Buffer {
  return Buffer.concat([encodeHead(raw), raw.body]);
}

/** Sends one request on a connection of its own and answers the response. */
export async function exchange(target: Target, raw: RawRequest): Promise<RawResponse> {
  const connection = await RawConnection.open(target);
  try {
    connection.write(encode(raw));
    return await connection.response();
  } finally {
    connection.destroy();
  }
}

/** How long a test waits for an answer before it calls the service stuck. */
const ANSWER_TIMEOUT_MS = 10_000;

/** One connection to the service, read one response after another. */
export class RawConnection {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #isEnded = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#isEnded = true;
    });
    socket.on("end", () => {
      this.#isEnded = true;
    });
  }

  static async open({ endpoint }: Pick<Target, "endpoint">): Promise<RawConnection> {
    const { hostname, port } = new URL(endpoint);
    const socket = createConnection({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, "connect");
    return new RawConnection(socket);
  }

  write(bytes: Uint8Array | string): void {
    this.#socket.write(bytes);
  }

  /** Says that nothing more will be written. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The next response. Rejects when the connection ends before it is whole. */
  async response(): Promise<RawResponse> {
    const headLength = (await this.#until(() => {
      const end = this.#received.indexOf("\r\n\r\n");
      return end < 0 ? undefined : end + 4;
    })) as number;
    const [statusLine = "", ...lines] = this.#take(headLength)
      .toString("latin1")
      .trimEnd()
      .split("\r\n");
    const headers = lines.map(parseHeader);
    const status = Number(statusLine.split(" ")[1]);
    const length = Number(find(headers, "Content-Length") ?? 0);
    await this.#until(() => (this.#received.length >= length ? true : undefined));
    const body = status === 100 ? Buffer.alloc(0) : this.#take(length);
    const text = body.toString("utf8");
    return { status, headers, body, text, header: (name) => find(headers, name) };
  }

  /** Resolves to what else came, once the service has closed the connection. */
  async rest(): Promise<Buffer> {
    await this.#until(() => (this.#isEnded ? true : undefined));
    return this.#received;
  }

  #take(length: number): Buffer {
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }

  async #until<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      const piece = this.#socket.read() as Buffer | null;
      if (piece) this.#received = Buffer.concat([this.#received, piece]);
      else if (this.#isEnded) throw new Error("The connection ended before the response did");
      else await this.#moved();
    }
  }

  /** Resolves when the socket has something to tell. */
  #moved(): Promise<void> {
    return new Promise((resolve) => {
      const events = ["readable", "end", "close"];
      const onEvent = () => {
        for (const event of events) this.#socket.off(event, onEvent);
        resolve();
      };
      for (const event of events) this.#socket.on(event, onEvent);
    });
  }
}

function parseHeader(line: string): HeaderLine {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}

function find(headers: readonly HeaderLine[], wanted: string): string | undefined {
  return headers.find(([name]) => name === wanted)?.[1];
}
