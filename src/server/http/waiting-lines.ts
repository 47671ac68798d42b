import type { Clock } from "../../base/clock.ts";
import { Lines } from "../../base/lines.ts";
import { ServiceError } from "../../model/errors.ts";

/** Whose request it is that waits: closed when nobody reads the answer any more, as a response. */
export interface Client {
  readonly closed: boolean;
  once(event: "close", hear: () => void): unknown;
  off(event: "close", hear: () => void): unknown;
}

/** The client has left before its request was carried out; nobody is to be told of anything. */
export class ClientLeftError extends Error {
  override readonly name = "ClientLeftError";

  constructor() {
    super("The client left while its request waited");
  }
}

/**
 * Does something with a signal that aborts when the client leaves; what waits for that signal
 * rejects with a `ClientLeftError` then.
 */
export async function whileThere<T>(
  client: Client,
  work: (left: AbortSignal) => Promise<T>,
): Promise<T> {
  if (client.closed) throw new ClientLeftError();
  const left = new AbortController();
  const leave = () => left.abort(new ClientLeftError());
  client.once("close", leave);
  try {
    return await work(left.signal);
  } finally {
    client.off("close", leave);
  }
}

/** How long to wait. */
export interface Patience {
  readonly clock: Clock;
  readonly waitMsMax: number;
}

interface Waiting<T> {
  readonly enter: (value: T) => void;
  readonly stay: () => void;
}

/**
 * Requests that wait for a value, in lines that take turns. Those whose client has left wait no
 * more: their connection counts no longer, so else nothing would bound how many they are.
 */
export class WaitingLines<T> {
  readonly #lines = new Lines<Waiting<T>>();

  get isEmpty(): boolean {
    return this.#lines.isEmpty;
  }

  /**
   * Resolves in its turn; rejects with a `ClientLeftError` when its client leaves before, and with
   * a `RequestThrottledException` when there is no more patience.
   */
  wait(key: string, client: Client | undefined, patience?: Patience): Promise<T> {
    return new Promise((resolve, reject) => {
      if (client?.closed) return reject(new ClientLeftError());
      const settled = patience && new AbortController();
      const leave = (error: Error) => {
        this.#lines.leave(key, waiting);
        waiting.stay();
        reject(error);
      };
      const onClose = () => leave(new ClientLeftError());
      const stay = () => {
        client?.off("close", onClose);
        settled?.abort();
      };
      const waiting = { enter: resolve, stay };
      client?.once("close", onClose);
      this.#lines.join(key, waiting);
      if (!patience || !settled) return;
      const { clock, waitMsMax } = patience;
      const giveUp = () => {
        // It may have been let in since the time was over.
        if (!settled.signal.aborted) leave(turnTooLate(waitMsMax));
      };
      clock.sleep(waitMsMax, settled.signal).then(giveUp, () => undefined);
    });
  }

  /**
   * Takes the one whose turn it is out of its line; answers what lets it in, to be called for sure.
   * From now on it does not leave any more: what it was given would be given to nobody.
   */
  next(): ((value: T) => void) | undefined {
    const waiting = this.#lines.next();
    waiting?.stay();
    return waiting?.enter;
  }
}

/** Nothing has been done yet, so whoever gets this may repeat the request as it is. */
function turnTooLate(waitMs: number): ServiceError {
  const message =
    "This service is at such work for others, and the turn of this request did not come within " +
    `${waitMs / 1_000} s. Nothing of it was done. Please repeat it.`;
  return new ServiceError("RequestThrottledException", undefined, message);
}
