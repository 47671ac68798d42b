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

/**
 * Requests that wait for a value, in lines that take turns. Those whose client has left wait no
 * more: their connection counts no longer, so else nothing would bound how many they are.
 */
export class WaitingLines<T> {
  readonly #lines = new Lines<(value: T) => void>();

  get isEmpty(): boolean {
    return this.#lines.isEmpty;
  }

  /** Resolves in its turn; rejects with a `ClientLeftError` when its client leaves before. */
  wait(key: string, client: Client | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      if (client?.closed) return reject(new ClientLeftError());
      const enter = (value: T) => {
        client?.off("close", leave);
        resolve(value);
      };
      const leave = () => {
        this.#lines.leave(key, enter);
        reject(new ClientLeftError());
      };
      client?.once("close", leave);
      this.#lines.join(key, enter);
    });
  }

  /** Takes the one whose turn it is out of its line; answers what lets it in. */
  next(): ((value: T) => void) | undefined {
    return this.#lines.next();
  }
}
