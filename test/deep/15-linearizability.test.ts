import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../src/client/index.ts";
import { LEASES, type Server, startServer } from "../cluster/cluster-server.ts";
import { findOrder } from "../cluster/linearizable.ts";
import { recordHistories } from "../cluster/metadata-history.ts";
import { segmentsPlace } from "../cluster/segments-place.ts";
import { POSTGRES_MISSING, type PostgresServer, startPostgres } from "../support/postgres.ts";
import { pick, seededFraction } from "../support/property.ts";
import { scorecard } from "./scorecard.ts";

/*
 * Six callers start, write, complete, describe and delete the same snapshots through two or three
 * server processes whose clocks are minutes apart; each call goes to any of them, and is not
 * repeated. In the middle of them a process is killed, or stopped past its lease and continued, or
 * the database crashes. Each client token's history must have an order. A checker that found an
 * order for anything would show nothing: ../cluster/linearizable.test.ts gives it some that have
 * none.
 */

const ROUND = { tokenCount: 6, callerCount: 6, callCount: 25 };
/** Calls that have begun when something goes wrong: at least, and less than. */
const CALLS_BEFORE = [10, 80] as const;

scorecard({
  number: 15,
  name: "linearizability of metadata operations, several processes, with faults",
  goal:
    "100 rounds of 150 calls, each with kill -9, SIGSTOP past the lease or a database crash: " +
    "0 without an order",
  peer: "Jepsen: histories of thousands of operations; TigerBeetle 0.16.11: 2 safety issues found",
  skip: () => POSTGRES_MISSING || undefined,
  async run(run) {
    const postgres = await startPostgres();
    run.after(() => postgres.remove());
    const store = {
      connectionString: postgres.url,
      segments: await segmentsPlace(run),
    };
    const skews = [0, 420_000, -540_000];
    const start = (i: number) => startServer(run, { ...store, skewMs: skews[i % 3] ?? 0 });
    const servers = await Promise.all((run.isFull ? [0, 1, 2] : [0, 1]).map(start));
    const clients = new Map<Server, Client>(servers.map((server) => [server, server.client(1)]));
    const fraction = seededFraction(run.seed);
    const rounds = run.count(100, 1);
    let [calls, unanswered, after] = [0, 0, 0];
    const faults = new Map<string, number>();
    for (let round = 0; round < rounds; round++) {
      const begun = new CallCount();
      const recording = recordHistories({
        ...{ ...ROUND, seed: run.seed + round },
        clients: () => {
          begun.add();
          return servers.flatMap((server) => clients.get(server) ?? []);
        },
      });
      // Until it is over, so that nothing of a round fails unheard.
      recording.catch(() => undefined);
      const [least, bound] = CALLS_BEFORE;
      await Promise.race([begun.reached(least + pick(fraction, bound - least)), recording]);
      let before = Number.POSITIVE_INFINITY;
      const onFault = () => {
        before = begun.count;
      };
      const kind = await disturb({ postgres, servers, start, fraction, clients, onFault });
      faults.set(kind, (faults.get(kind) ?? 0) + 1);
      for (const [token, events] of await recording) {
        calls += events.length;
        unanswered += events.filter(({ answeredMs }) => !Number.isFinite(answeredMs)).length;
        assert.ok(findOrder(events), `${token} has no order: ${JSON.stringify(events)}`);
      }
      assert.ok(begun.count > before, `round ${round}: no call began after ${kind}`);
      after += begun.count - before;
    }
    const told = [...faults].map(([kind, count]) => `${count} ${kind}`).sort();
    const rest = `${unanswered} unanswered; ${after} begun after a fault; ${told.join(", ")}`;
    return `${rounds} rounds, ${calls} calls (${rest}): 0 without an order`;
  },
});

/** Counts calls as they begin. */
class CallCount {
  count = 0;
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  add(): void {
    this.count += 1;
    for (const { count, resolve } of this.#waiting) if (this.count >= count) resolve();
  }

  /** Resolves when so many have begun. */
  reached(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ count, resolve });
    return promise;
  }
}

interface Disturbed {
  readonly postgres: PostgresServer;
  readonly servers: Server[];
  readonly clients: Map<Server, Client>;
  readonly start: (i: number) => Promise<Server>;
  readonly fraction: () => number;
  /** Called when it has gone wrong, before it is put right. */
  readonly onFault: () => void;
}

/** Does one thing that may go wrong, and puts it right again; answers what it was. */
async function disturb(subject: Disturbed): Promise<string> {
  const { postgres, servers, clients, start, fraction, onFault } = subject;
  const i = Math.floor(fraction() * servers.length);
  const server = servers[i] as Server;
  const kind = (["kill", "stop", "crash"] as const)[Math.floor(fraction() * 3)];
  if (kind === "kill") {
    await server.signal("SIGKILL");
    onFault();
    const next = await start(i);
    servers[i] = next;
    clients.set(next, next.client(1));
    return "processes killed";
  }
  if (kind === "stop") {
    await server.signal("SIGSTOP");
    onFault();
    await sleep(LEASES.aliveMs + 2_000);
    await server.signal("SIGCONT");
    return "processes stopped";
  }
  await postgres.stop("SIGQUIT");
  onFault();
  await sleep(500);
  await postgres.start();
  return "database crashes";
}
