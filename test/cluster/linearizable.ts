/*
 * Whether what several clients saw of one client token and the snapshots that it started can be
 * explained by one order of all calls, each taking effect at one moment between its call and its
 * answer. The search is Wing and Gong's, with Lowe's memory of what was tried before.
 */

/** What was asked, and what came of it; a snapshot by its id. */
export type Step =
  | { readonly kind: "start"; readonly id: string }
  | { readonly kind: "put"; readonly id: string; readonly saw: "taken" | "refused" | "absent" }
  | {
      readonly kind: "complete";
      readonly id: string;
      readonly count: number;
      readonly saw: Seen | "absent";
    }
  | { readonly kind: "describe"; readonly id: string; readonly saw: Seen | "absent" }
  | { readonly kind: "delete"; readonly id: string; readonly saw: "deleted" | "absent" };

/** A state as callers see it. */
export type Seen = "pending" | "completed" | "error";

/** One call in a history. */
export interface Event {
  readonly step: Step;
  readonly calledMs: number;
  /** `Infinity` where no answer came: then it may have taken effect at any time, or never. */
  readonly answeredMs: number;
}

/** How one snapshot stands; `sealing` comes to its outcome by itself at any time. */
interface Status {
  readonly state: "pending" | "sealing" | "completed" | "error" | "deleted";
  readonly isWritten: boolean;
  readonly outcome: "completed" | "error";
}

interface State {
  /** What the client token stands for. */
  readonly current: string | undefined;
  readonly statuses: ReadonlyMap<string, Status>;
}

/** The order that explains a history, as indexes into it; undefined if there is none. */
export function findOrder(events: readonly Event[]): number[] | undefined {
  const tried = new Set<string>();
  const start: State = { current: undefined, statuses: new Map() };
  const search = (
    done: ReadonlySet<number>,
    state: State,
    order: number[],
  ): number[] | undefined => {
    const left = events
      .keys()
      .filter((i) => !done.has(i))
      .toArray();
    // Calls that were never answered need not have taken effect.
    if (left.every((i) => events[i]?.answeredMs === Number.POSITIVE_INFINITY)) return order;
    const key = `${left.join()} ${textOf(state)}`;
    if (tried.has(key)) return undefined;
    tried.add(key);
    const firstAnswerMs = Math.min(...left.map((i) => (events[i] as Event).answeredMs));
    for (const i of left) {
      const { step, calledMs, answeredMs } = events[i] as Event;
      if (calledMs > firstAnswerMs) continue;
      for (const next of apply(state, step, answeredMs !== Number.POSITIVE_INFINITY)) {
        const found = search(new Set([...done, i]), next, [...order, i]);
        if (found) return found;
      }
    }
    return undefined;
  };
  return search(new Set(), start, []);
}

function textOf({ current, statuses }: State): string {
  const texts = [...statuses].map(([id, { state, isWritten, outcome }]) => {
    return `${id} ${state} ${isWritten} ${outcome}`;
  });
  return `${current} ${texts.sort().join()}`;
}

/** The states that a step may lead to; none where what it saw cannot be. */
function apply(state: State, step: Step, isAnswered: boolean): State[] {
  if (step.kind === "start") return applyStart(state, step.id);
  const status = state.statuses.get(step.id);
  if (step.kind === "put" && status && hasFailed(status)) {
    // What AWS says of a snapshot in error, too. One that is being sealed may be so by now.
    const failed = { ...status, state: "error" } as const;
    const isMoved = isAnswered && step.saw === "absent";
    if (isMoved) return [{ ...state, statuses: withStatus(state, step.id, failed) }];
  }
  const isAbsent = status === undefined || status.state === "deleted";
  if (isAnswered && step.saw === "absent") return isAbsent ? [state] : [];
  if (isAbsent) return isAnswered ? [] : [state];
  if (step.kind === "delete") {
    const current = state.current === step.id ? undefined : state.current;
    return [{ current, statuses: withStatus(state, step.id, { ...status, state: "deleted" }) }];
  }
  const moved = (to: Status) => [{ ...state, statuses: withStatus(state, step.id, to) }];
  if (step.kind === "put") {
    const isTaken = status.state === "pending";
    if (isAnswered && status.state === "error") return [];
    if (isAnswered && isTaken !== (step.saw === "taken")) return [];
    return isTaken ? moved({ ...status, isWritten: true }) : [state];
  }
  if (step.kind === "complete" && status.state === "pending") {
    const outcome = step.count === (status.isWritten ? 1 : 0) ? "completed" : "error";
    const isRight = !isAnswered || step.saw === "pending";
    return isRight ? moved({ ...status, state: "sealing", outcome }) : [];
  }
  if (!isAnswered) return [state];
  if (status.state === "sealing") {
    if (step.saw === "pending") return [state];
    return step.saw === status.outcome ? moved({ ...status, state: status.outcome }) : [];
  }
  return step.saw === status.state ? [state] : [];
}

function hasFailed({ state, outcome }: Status): boolean {
  return state === "error" || (state === "sealing" && outcome === "error");
}

function applyStart(state: State, id: string): State[] {
  if (state.current !== undefined) return state.current === id ? [state] : [];
  if (state.statuses.has(id)) return [];
  const status: Status = { state: "pending", isWritten: false, outcome: "completed" };
  return [{ current: id, statuses: withStatus(state, id, status) }];
}

function withStatus({ statuses }: State, id: string, status: Status): ReadonlyMap<string, Status> {
  return new Map(statuses).set(id, status);
}
