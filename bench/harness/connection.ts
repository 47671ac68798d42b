import { createConnection, type Socket } from "node:net";

/** A response as the load generator sees it: no header parsed that nobody asks for. */
export interface Received {
  readonly status: number;
  readonly head: string;
  /** The body as it came, in pieces. */
  readonly body: readonly Uint8Array[];
}

interface Waiting {
  readonly resolve: (received: Received) => void;
  readonly reject: (error: Error) => void;
}

const END_OF_HEAD = "\r\n\r\n";

/**
 * One kept-alive HTTP connection, one request at a time. By hand on a socket rather than by
 * `node:http`, because the generator shares the machine with what it measures: each
 * microsecond it spends flatters the slower server. Understands answers with a Content-Length.
 */
export class Connection implements Disposable {
  readonly #endpoint: string;
  #socket: Socket;
  /** True when the last answer was the connection's last: the next request opens another. */
  #isOver = false;
  #waiting: Waiting | undefined;
  #head: Buffer = Buffer.alloc(0);
  #response: { status: number; head: string; body: Uint8Array[]; left: number } | undefined;

  private constructor(endpoint: string, socket: Socket) {
    this.#endpoint = endpoint;
    this.#socket = this.#listenTo(socket);
  }

  /** Connects to an endpoint such as `http://127.0.0.1:7788`. */
  static async open(endpoint: string): Promise<Connection> {
    return new Connection(endpoint, await connectTo(endpoint));
  }

  #listenTo(socket: Socket): Socket {
    const isCurrent = () => this.#socket === socket;
    socket.setNoDelay(true);
    socket.on("data", (piece) => this.#take(piece));
    socket.on("error", (error) => isCurrent() && this.#fail(error));
    socket.on("close", () => isCurrent() && this.#fail(new Error("The server closed early")));
    return socket;
  }

  /** Sends a whole request, in pieces that are not copied, and waits for the whole answer. */
  async exchange(pieces: readonly (string | Uint8Array)[]): Promise<Received> {
    if (this.#isOver) {
      this.#isOver = false;
      this.#socket = this.#listenTo(await connectTo(this.#endpoint));
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.cork();
      for (const piece of pieces) this.#socket.write(piece);
      this.#socket.uncork();
    });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #take(piece: Buffer): void {
    const response = this.#response;
    if (response) {
      response.body.push(piece);
      response.left -= piece.length;
    } else {
      this.#takeHead(piece);
    }
    if (this.#response?.left === 0) this.#finish(this.#response);
  }

  #takeHead(piece: Buffer): void {
    this.#head = this.#head.length === 0 ? piece : Buffer.concat([this.#head, piece]);
    const end = this.#head.indexOf(END_OF_HEAD);
    if (end === -1) return;
    const head = this.#head.toString("latin1", 0, end);
    const rest = this.#head.subarray(end + END_OF_HEAD.length);
    this.#head = Buffer.alloc(0);
    const length = /\r\ncontent-length: *([0-9]+)/i.exec(head)?.[1];
    if (length === undefined) {
      this.#fail(new Error(`No Content-Length in: ${head}`));
      return;
    }
    const body = rest.length > 0 ? [rest] : [];
    const status = Number(head.slice(9, 12));
    this.#response = { status, head, body, left: Number(length) - rest.length };
  }

  #finish({ status, head, body }: Received): void {
    this.#response = undefined;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (/\r\nconnection: *close/i.test(head)) {
      this.#isOver = true;
      this.#socket.destroy();
    }
    waiting?.resolve({ status, head, body });
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}

function connectTo(endpoint: string): Promise<Socket> {
  const { hostname, port } = new URL(endpoint);
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: hostname, port: Number(port) });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}
