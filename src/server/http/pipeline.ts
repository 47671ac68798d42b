import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { PIPELINED_COUNT_MAX } from "../../model/limits.ts";

/** Carries out one request; answers whether the connection stays open for the next. */
type Answer = (req: IncomingMessage, res: ServerResponse) => Promise<boolean>;

interface Line {
  last: Promise<boolean>;
  count: number;
}

/**
 * What Node keeps of a connection and does not document: its parser calls this for each request,
 * and with a 2 takes what follows for another protocol, thus reads nothing more of it.
 */
interface ParsedSocket extends Socket {
  readonly parser?: { onIncoming?: (req: IncomingMessage, keepAlive: boolean) => number } | null;
}
const READ_NO_FURTHER = 2;

/**
 * One request of a connection at a time, the next when the answer before it has been sent. Node
 * hands over pipelined requests at once; a peer that does not read its answers must not make more
 * of them, and one that follows the last answer of its connection must not be carried out.
 */
export class Pipeline {
  readonly #answer: Answer;
  readonly #lines = new WeakMap<Socket, Line>();
  readonly #running = new Set<Promise<unknown>>();

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  /** Takes in a request that was read, for when its turn comes. */
  take(req: IncomingMessage, res: ServerResponse): void {
    const { socket } = req;
    const line = this.#lines.get(socket) ?? this.#begin(socket);
    // Node goes on reading requests while none is answered; each takes memory.
    if (line.count >= PIPELINED_COUNT_MAX) {
      socket.destroy();
      return;
    }
    line.count += 1;
    const turn = line.last
      .then(async (isOpen) => {
        const staysOpen = isOpen && !socket.destroyed && (await this.#answer(req, res));
        if (staysOpen && !res.closed) await once(res, "close");
        return staysOpen;
      })
      .finally(() => {
        line.count -= 1;
        this.#running.delete(turn);
      });
    line.last = turn;
    this.#running.add(turn);
  }

  /** Resolves when nothing is worked on any more, also for clients that have left. */
  async drain(): Promise<void> {
    await Promise.all(this.#running);
  }

  /**
   * One read brings thousands of small requests, and Node makes objects of all before anybody else
   * is served, even where the connection was closed at one of the first. So its parser is stopped.
   */
  #begin(socket: ParsedSocket): Line {
    const line: Line = { last: Promise.resolve(true), count: 0 };
    this.#lines.set(socket, line);
    const { parser } = socket;
    const onIncoming = parser?.onIncoming;
    if (!parser || !onIncoming) return line;
    parser.onIncoming = (req, keepAlive) => {
      if (line.count < PIPELINED_COUNT_MAX) return onIncoming(req, keepAlive);
      socket.destroy();
      return READ_NO_FURTHER;
    };
    return line;
  }
}
