import { systemRandom } from "../../src/base/random.ts";
import type { Call, Client } from "../../src/client/call/client.ts";
import { SleptClock } from "./slept-clock.ts";

/**
 * A client whose calls are answered by a function, with the body of a response or by throwing, on a
 * clock that moves when it is slept on.
 */
export function stubClient(answer: (call: Call<unknown>) => string) {
  const clock = new SleptClock();
  const calls: string[] = [];
  const client: Client = {
    endpoint: "http://127.0.0.1:1",
    region: "us-east-1",
    clock,
    random: systemRandom,
    async send(call) {
      calls.push(call.operation);
      const body = new TextEncoder().encode(answer(call));
      return call.read({ status: 200, headers: new Map(), body });
    },
    close: () => undefined,
  };
  return { client, calls, sleptMs: () => clock.nowMs() - SleptClock.START_MS };
}
