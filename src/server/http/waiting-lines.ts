import { Lines } from "../../base/lines.ts";

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

  /** Resolves in its turn; rejects with a `ClientLeftError` when its client leaves before. */
  wait(key: string, client: Client | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      if (client?.closed) return reject(new ClientLeftError());
      const leave = () => {
        this.#lines.leave(key, waiting);
        reject(new ClientLeftError());
      };
      const waiting = { enter: resolve, stay: () => client?.off("close", leave) };
      client?.once("close", leave);
      this.#lines.join(key, waiting);
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
