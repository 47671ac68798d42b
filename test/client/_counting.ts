import type { Call } from "../../src/client/call/client.ts";
import type { CallOptions, Client } from "../../src/client/index.ts";
import { clientThrough } from "./_client.ts";

/** A client that counts its calls, and can be told to end after some of them. */
export interface CountingClient {
  readonly client: Client;
  /** Block indexes put and acknowledged, in order; with their operation's name, gets too. */
  readonly puts: number[];
  readonly gets: number[];
  /** Operations called, in order. */
  readonly operations: string[];
}

/** What the end of a process looks like from within: from then on nothing works. */
export class Killed extends Error {}

/**
 * Counts what goes through; after that many calls of the operation, that one included, every call
 * fails, as if the process had been killed after its answer came.
 */
export function counting(
  client: Client,
  end?: { readonly after: number; readonly operation: string; readonly beforeAnswer?: boolean },
): CountingClient {
  const [puts, gets, operations]: [number[], number[], string[]] = [[], [], []];
  let [count, isDead] = [0, false];
  const send = async <T>(call: Call<T>, options: CallOptions | undefined): Promise<T> => {
    if (isDead) throw new Killed("killed");
    operations.push(call.operation);
    const isCounted = call.operation === end?.operation;
    if (isCounted) count += 1;
    const isLast = isCounted && count === end?.after;
    const answer = await client.send(call, options);
    const blockIndex = Number(/\/blocks\/(\d+)/.exec(call.request.path)?.[1]);
    if (isLast && end?.beforeAnswer) isDead = true;
    if (isDead) throw new Killed("killed");
    if (call.operation === "PutSnapshotBlock") puts.push(blockIndex);
    if (call.operation === "GetSnapshotBlock") gets.push(blockIndex);
    if (isLast) isDead = true;
    return answer;
  };
  return { client: clientThrough(client, send), puts, gets, operations };
}
