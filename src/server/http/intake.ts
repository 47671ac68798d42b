import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { assert } from "../../base/assert.ts";
import { INTAKE_PIECE_BYTES } from "../../model/limits.ts";

/** Answers one request; resolves to false when that was the connection's last answer. */
export type Answer = (req: IncomingMessage, res: ServerResponse) => Promise<boolean>;

/**
 * What comes in over one connection: one request at a time is answered, the next when the answer
 * before it has been sent, and what a client sends ahead is left unread meanwhile. By itself Node
 * would make requests of all that one read brought, two thousand of the smallest, before anybody
 * could refuse one; and go on reading while none is answered. So it is handed what came in small
 * pieces, and nothing after a whole request that is being answered. A body whose length was told
 * is handed over as it comes: there is no request in it.
 */
export class Intake {
  readonly #socket: Socket;
  readonly #feed: (bytes: Buffer) => void;
  /** Settles when the last request so far is done with; to true if the connection stays open. */
  #last: Promise<boolean> = Promise.resolve(true);
  #request: IncomingMessage | undefined;
  /** Requests that have begun and are not done with. */
  #count = 0;
  /** Bytes from here on that certainly belong to the body of the last request. */
  #bodyBytes = 0;
  #isHeld = false;

  /** Steps between the connection and Node's parser, which the server has just attached to it. */
  constructor(socket: Socket) {
    const [feed, ...others] = socket.listeners("data");
    assert(feed !== undefined && others.length === 0, "one listener parses what comes in");
    this.#socket = socket;
    this.#feed = feed as (bytes: Buffer) => void;
    socket.removeListener("data", this.#feed);
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
  }

  /** Has a request of this connection answered in its turn; resolves when that is done. */
  async run(answer: Answer, req: IncomingMessage, res: ServerResponse): Promise<void> {
    this.#request = req;
    this.#count += 1;
    const turn = this.#last.then(async (isOpen) => {
      const staysOpen = isOpen && !this.#socket.destroyed && (await answer(req, res));
      if (staysOpen && !res.closed) await once(res, "close");
      return staysOpen;
    });
    this.#last = turn;
    try {
      await turn;
    } finally {
      this.#count -= 1;
      if (this.#count === 0) this.#release();
    }
  }

  #take(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#isWholeRequestUnderWay()) this.#hold();
      // By us, or by Node, whose parser must be given nothing then.
      if (this.#socket.isPaused()) {
        this.#socket.unshift(bytes.subarray(at));
        return;
      }
      // After the last answer, or an error, nothing is a request any more.
      if (!this.#socket.writable) return;
      const piece = bytes.subarray(at, at + Math.max(INTAKE_PIECE_BYTES, this.#bodyBytes));
      at += piece.length;
      this.#bodyBytes = Math.max(0, this.#bodyBytes - piece.length);
      this.#parse(piece);
    }
  }

  #parse(piece: Buffer): void {
    const before = this.#request;
    this.#feed(piece);
    if (this.#request === before) return;
    // Where in the piece the body began is not known; it is shorter by the whole piece at most.
    const length = Number(this.#request?.headers["content-length"] ?? 0);
    this.#bodyBytes = Math.max(0, length - piece.length) || 0;
  }

  #isWholeRequestUnderWay(): boolean {
    return this.#count > 0 && this.#request?.complete === true;
  }

  #hold(): void {
    this.#isHeld = true;
    this.#socket.pause();
  }

  #release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    if (!this.#socket.destroyed) this.#socket.resume();
  }
}
