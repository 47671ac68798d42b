import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Clock, repeat, waitAtMost } from "../../base/clock.ts";
import { Limiter } from "../../base/concurrency.ts";
import {
  CONNECTIONS_COUNT_MAX,
  LINGERING_COUNT_MAX,
  UNPROVEN_BLOCKS_COUNT_MAX,
  UNPROVEN_BODY_MS_MAX,
} from "../../model/limits.ts";

/** How often there is a look for bodies that take too long. */
const CHECK_INTERVAL_MS = 1_000;
/**
 * How long a connection stays open, unread, whose client sends more than is read of it, so that the
 * answer is not lost: one that is closed has the client forget what it has not read yet (ours).
 */
const LINGER_MS = 1_000;

/** The client at the other end of a connection. */
export interface Peer {
  /** Whether a valid signature came over the connection. */
  readonly isProven: boolean;
  /** Says that a valid signature came over the connection. */
  prove(): void;
  /** Says that the body of a request is waited for, until the function answered is called. */
  awaitBody(): () => void;
}

interface Entry {
  readonly socket: Socket;
  isProven: boolean;
  bodySinceMs: number | undefined;
}

/** Of a connection that has been closed: nothing is to be remembered. */
const GONE: Peer = { isProven: false, prove: () => undefined, awaitBody: () => () => undefined };

/**
 * The connections that are open, and which of them may be closed for the sake of others. One over
 * which a valid signature came is *proven*. Whoever has no key can open connections, but none that
 * stays: when all places are taken, a newcomer gets that of the connection which has been there
 * longest without proof. A newcomer with a key needs one round trip for its proof, so it is
 * served, however many others hold connections, and whatever addresses they all come from.
 */
export class Connections {
  /** Places for large bodies that have to be read before their signature can be verified. */
  readonly unprovenBlocks = new Limiter(UNPROVEN_BLOCKS_COUNT_MAX);
  readonly #clock: Clock;
  readonly #isEncrypted: boolean;
  readonly #entries = new Map<Key, Entry>();
  /** In order of arrival. */
  readonly #unproven = new Set<Entry>();
  #lingeringCount = 0;
  readonly #chore: { stop(): Promise<void> };

  /** Encrypted are connections that are taken in plain, and asked for as what is inside of them. */
  constructor(clock: Clock, { isEncrypted = false } = {}) {
    this.#clock = clock;
    this.#isEncrypted = isEncrypted;
    this.#chore = repeat(clock, CHECK_INTERVAL_MS, {
      work: async () => this.#closeSlowBodies(),
      // Looking at a clock and closing sockets does not fail.
      onError: () => undefined,
    });
  }

  /** Takes in a connection, in the place of another if it must; closes it if there is none. */
  add(socket: Socket): void {
    if (this.#entries.size >= CONNECTIONS_COUNT_MAX) {
      const [oldest] = this.#unproven;
      if (oldest === undefined) {
        socket.destroy();
        return;
      }
      this.#remove(oldest);
      oldest.socket.destroy();
    }
    const key = this.#keyOf(socket);
    const entry: Entry = { socket, isProven: false, bodySinceMs: undefined };
    this.#entries.set(key, entry);
    this.#unproven.add(entry);
    socket.once("close", () => this.#remove(entry, key));
  }

  /** The peer of a connection, which may be the encrypted one inside of that taken in. */
  of(socket: Socket): Peer {
    const entry = this.#entries.get(this.#keyOf(socket));
    if (entry === undefined) return GONE;
    return {
      get isProven() {
        return entry.isProven;
      },
      prove: () => {
        entry.isProven = true;
        this.#unproven.delete(entry);
      },
      awaitBody: () => {
        entry.bodySinceMs = this.#clock.monotonicMs();
        return () => {
          entry.bodySinceMs = undefined;
        };
      },
    };
  }

  /** Waits until a client has gone, or may have read an answer of which all but the end is sent. */
  async linger(res: ServerResponse): Promise<void> {
    if (this.#lingeringCount >= LINGERING_COUNT_MAX || res.closed) return;
    this.#lingeringCount += 1;
    await waitAtMost(this.#clock, LINGER_MS, once(res, "close"));
    this.#lingeringCount -= 1;
  }

  /** Looks after nothing any more; connections stay as they are. */
  stop(): Promise<void> {
    return this.#chore.stop();
  }

  #remove(entry: Entry, key = this.#keyOf(entry.socket)): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    this.#unproven.delete(entry);
  }

  #closeSlowBodies(): void {
    const latestMs = this.#clock.monotonicMs() - UNPROVEN_BODY_MS_MAX;
    for (const { socket, bodySinceMs } of this.#unproven) {
      if (bodySinceMs !== undefined && bodySinceMs < latestMs) socket.destroy();
    }
  }

  #keyOf(socket: Socket): Key {
    if (!this.#isEncrypted) return socket;
    // What an encrypted connection and the plain one below it have in common; it takes a while.
    return `${socket.remoteAddress} ${socket.remotePort}`;
  }
}

type Key = Socket | string;
