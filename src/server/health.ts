import { type Clock, waitAtMost } from "../base/clock.ts";
import type { WireResponse } from "../wire/message.ts";
import type { RequestHead } from "./http/raw-request.ts";

/*
 * Two paths for whoever starts, stops and balances processes, answered without a signature:
 * /healthz says that the process answers, /readyz whether what it works with does, too. They tell
 * the names of the engines and nothing else of the store; reasons stand in the log.
 */

/** An engine that the service cannot do without. */
export interface Engine {
  /** As `/readyz` calls it. */
  readonly name: string;
  /** Rejects when the engine does not answer. Cheap: it is asked about once a second. */
  readonly check: () => Promise<unknown>;
}

/** Answers a request for health or readiness; undefined for every other request. */
export type AnswerHealth = (head: RequestHead) => Promise<WireResponse> | undefined;

/** Milliseconds in which an engine has to answer: what balances asks again soon (ours). */
const CHECK_MS_MAX = 2_000;
/** Milliseconds for which an answer holds: nobody can have the engines asked often (ours). */
const HOLDS_MS = 1_000;

/** Looks at engines when it is asked to, not in between. */
export function createHealth(clock: Clock, engines: readonly Engine[]): AnswerHealth {
  let latest: { readonly sinceMs: number; readonly missing: Promise<string[]> } | undefined;
  const missing = () => {
    const nowMs = clock.monotonicMs();
    if (!latest || nowMs - latest.sinceMs >= HOLDS_MS) {
      latest = { sinceMs: nowMs, missing: findMissing(clock, engines) };
    }
    return latest.missing;
  };
  return ({ method, path }) => {
    if (method !== "GET" && method !== "HEAD") return undefined;
    if (path === "/healthz") return Promise.resolve(answer(200, { status: "alive" }));
    if (path !== "/readyz") return undefined;
    return missing().then((names) =>
      names.length === 0
        ? answer(200, { status: "ready" })
        : answer(503, { status: "not ready", missing: names }),
    );
  };
}

async function findMissing(clock: Clock, engines: readonly Engine[]): Promise<string[]> {
  const found = await Promise.all(engines.map((engine) => answers(clock, engine)));
  return engines.filter((_, i) => !found[i]).map(({ name }) => name);
}

async function answers(clock: Clock, { check }: Engine): Promise<boolean> {
  let isThere = false;
  const asking = check().then(
    () => {
      isThere = true;
    },
    () => undefined,
  );
  await waitAtMost(clock, CHECK_MS_MAX, asking);
  return isThere;
}

function answer(status: number, body: object): WireResponse {
  const headers = { "Content-Type": "application/json", "Cache-Control": "no-store" };
  return { status, headers, body: `${JSON.stringify(body)}\n` };
}
