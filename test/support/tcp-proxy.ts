import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import type { Cleanup } from "./temporary-directory.ts";

/**
 * What a link does to those who use it. `away`: connections are refused, and those there were are
 * cut. `silent`: connections are taken, and nothing is passed on in either direction. `slow`: a few
 * hundred kilobytes a second. `cutting`: every connection is cut after so many bytes.
 */
export type LinkState = "up" | "away" | "silent" | "slow" | "cutting";

/** A link to a server that a test can have fail. */
export interface Link {
  readonly port: number;
  set(state: LinkState): Promise<void>;
}

const SLOW_BYTES = 16_384;
const SLOW_PAUSE_MS = 50;
/** Enough for a hand-shake and some small requests, not for a batch of blocks. */
const CUT_AFTER_BYTES = 300_000;

/** Passes connections on to a port of this machine, on a free port of the loopback address. */
export async function linkTo(t: Cleanup, port: number): Promise<Link> {
  const sockets = new Set<Socket>();
  let state: LinkState = "up";
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    let passedBytes = 0;
    const cut = () => {
      near.destroy();
      far.destroy();
    };
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("close", () => {
        sockets.delete(from);
        cut();
      });
      from.on("error", cut);
      from.on("end", () => to.end());
      const pass = async () => {
        for await (const piece of from as AsyncIterable<Buffer>) {
          while (state === "silent" && !from.destroyed) await setTimeout(20);
          passedBytes += piece.length;
          if (state === "cutting" && passedBytes > CUT_AFTER_BYTES) return cut();
          if (state === "slow") {
            for (let i = 0; i < piece.length; i += SLOW_BYTES) {
              await setTimeout(SLOW_PAUSE_MS);
              to.write(piece.subarray(i, i + SLOW_BYTES));
            }
          } else if (!to.write(piece)) await Promise.race([once(to, "drain"), once(to, "close")]);
        }
      };
      pass().catch(cut);
    }
  });
  const listen = (at: number) =>
    new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(at, "127.0.0.1", resolve);
    });
  await listen(0);
  const own = (server.address() as AddressInfo).port;
  const cutAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  t.after(() => {
    cutAll();
    server.close();
  });
  return {
    port: own,
    async set(next) {
      if (next === state) return;
      const wasAway = state === "away";
      state = next;
      if (next === "away") {
        server.close();
        cutAll();
        await once(server, "close");
      } else if (wasAway) await listen(own);
    },
  };
}
