import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { HeaderLine } from "../support/raw-http.ts";

/** A response as it came over the wire. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly HeaderLine[];
  readonly body: Buffer;
  readonly text: string;
  /** When the response was whole, by this machine's clock, milliseconds since 1970. */
  readonly atMs: number;
  /** Value of the header spelled exactly so. */
  exact(name: string): string | undefined;
  /** Value of the header in any spelling. */
  header(name: string): string | undefined;
}

/** How long any one answer may take. */
export const ANSWER_MS_MAX = 10_000;

/** One connection to any endpoint, plain or TLS, that takes one request after another. */
export class Connection {
  readonly #socket: Socket;
  readonly #pieces: AsyncIterator<Buffer>;
  #received: Buffer = Buffer.alloc(0);
  #isEnded = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#pieces = socket[Symbol.asyncIterator]();
    socket.on("error", () => undefined);
    socket.setTimeout(ANSWER_MS_MAX, () => {
      socket.destroy(new Error(`No answer in ${ANSWER_MS_MAX / 1000} s`));
    });
  }

  static async open(url: URL): Promise<Connection> {
    const isTls = url.protocol === "https:";
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const port = Number(url.port || (isTls ? 443 : 80));
    const socket = isTls
      ? connectTls({ host, port, servername: host })
      : connect({ host, port, noDelay: true });
    await once(socket, isTls ? "secureConnect" : "connect");
    return new Connection(socket);
  }

  /** Sends the bytes and answers the next response. Rejects when the connection ends before. */
  async ask(bytes: Uint8Array): Promise<Answer> {
    this.#socket.write(bytes);
    let answer = await this.#next();
    while (answer.status === 100) answer = await this.#next();
    return answer;
  }

  close(): void {
    this.#socket.destroy();
  }

  async #next(): Promise<Answer> {
    let end = this.#received.indexOf("\r\n\r\n");
    while (end < 0) {
      await this.#more();
      end = this.#received.indexOf("\r\n\r\n");
    }
    const [statusLine = "", ...lines] = this.#take(end + 4)
      .toString("latin1")
      .trimEnd()
      .split("\r\n");
    const headers = lines.map(parseHeader);
    const status = Number(statusLine.split(" ")[1]);
    const body = await this.#body(status, headers);
    return answerOf(status, headers, body);
  }

  async #body(status: number, headers: readonly HeaderLine[]): Promise<Buffer> {
    if (status < 200 || status === 204) return Buffer.alloc(0);
    if (/chunked/i.test(lookup(headers, "transfer-encoding") ?? "")) return this.#pieced();
    const length = lookup(headers, "content-length");
    while (length === undefined ? !this.#isEnded : this.#received.length < Number(length)) {
      await this.#more(length === undefined);
    }
    return this.#take(length === undefined ? this.#received.length : Number(length));
  }

  /** A body in pieces, each behind its length. */
  async #pieced(): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (;;) {
      while (!this.#received.includes("\r\n")) await this.#more();
      const line = this.#take(this.#received.indexOf("\r\n") + 2).toString("latin1");
      const length = Number.parseInt(line, 16);
      while (this.#received.length < length + 2) await this.#more();
      pieces.push(this.#take(length + 2).subarray(0, length));
      if (length === 0) return Buffer.concat(pieces);
    }
  }

  #take(length: number): Buffer {
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }

  async #more(mayEnd = false): Promise<void> {
    const { value, done } = await this.#pieces.next();
    if (!done) {
      this.#received = Buffer.concat([this.#received, value]);
      return;
    }
    this.#isEnded = true;
    if (!mayEnd) throw new Error("The connection ended before the response did");
  }
}

/** Sends one request on a connection of its own. */
export async function ask(url: URL, bytes: Uint8Array): Promise<Answer> {
  const connection = await Connection.open(url);
  try {
    return await connection.ask(bytes);
  } finally {
    connection.close();
  }
}

function answerOf(status: number, headers: readonly HeaderLine[], body: Buffer): Answer {
  return {
    status,
    headers,
    body,
    text: body.length > 100_000 ? "" : body.toString("utf8"),
    atMs: Date.now(),
    exact: (name) => headers.find(([spelled]) => spelled === name)?.[1],
    header: (name) => lookup(headers, name.toLowerCase()),
  };
}

function parseHeader(line: string): HeaderLine {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}

function lookup(headers: readonly HeaderLine[], lowerName: string): string | undefined {
  return headers.find(([name]) => name.toLowerCase() === lowerName)?.[1];
}
