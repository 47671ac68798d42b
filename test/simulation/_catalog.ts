import type { Catalog } from "../../src/catalog/catalog.ts";
import { DiskFullError } from "../../src/model/errors.ts";
import { answersAtOnce } from "../support/answers-at-once.ts";
import { SimulatedFailure } from "./_excuses.ts";
import type { Life, Scheduler } from "./_scheduler.ts";

/** What the catalog's calls wait for, and what befalls them. */
export interface CatalogTerms {
  readonly scheduler: Scheduler;
  readonly life: Life;
  /** Share of calls at which the disk under it fails. */
  readonly failing: number;
  isFull(): boolean;
  onFailed(): void;
  onFull(): void;
}

/** Calls that add rows, and so are refused on a full disk. */
const GROWING = new Set([
  "start",
  "commit",
  "changeState",
  "advance",
  "settle",
  "refer",
  "beginSealing",
  "addCandidates",
  "doom",
  "add",
]);
/** How often a full disk has no room for a row. */
const REFUSED_SHARE = 0.5;

/**
 * A catalog whose every call waits for its turn before it is made, and often before its answer
 * arrives. A call that is made is carried out at once, whole and durably, as SQLite does; and
 * nothing more comes of a life that is over. Once its disk has failed, every call does, and nobody
 * knows whether the first of them was carried out.
 */
export function wrapCatalog(catalog: Catalog, terms: CatalogTerms): Catalog {
  const state = { isFailed: false };
  const wrapped = Object.entries(catalog).map(([port, table]) => {
    if (typeof table !== "object") return [port, table];
    return [port, wrapTable(port, table, { terms, state })];
  });
  // Whoever started the process gives it up, however that ends.
  return { ...(Object.fromEntries(wrapped) as Catalog), close: async () => undefined };
}

type Method = (...given: unknown[]) => Promise<unknown>;

interface Wrapping {
  readonly terms: CatalogTerms;
  readonly state: { isFailed: boolean };
}

function wrapTable<T extends object>(port: string, table: T, wrapping: Wrapping): T {
  const known = new Map<PropertyKey, Method>();
  return new Proxy(table, {
    get(target, name) {
      const method = known.get(name);
      if (method) return method;
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== "function") return value;
      const bound = value.bind(target) as Method;
      if (answersAtOnce(name)) return bound;
      const made = waiting(`${port}.${String(name)}`, bound, wrapping);
      known.set(name, made);
      return made;
    },
  });
}

function waiting(name: string, method: Method, { terms, state }: Wrapping): Method {
  const { scheduler, life } = terms;
  const isGrowing = GROWING.has(name.slice(name.indexOf(".") + 1));
  return async (...given) => {
    await scheduler.turn(life);
    scheduler.note(`${name} ${JSON.stringify(given)}`);
    if (state.isFailed) throw new SimulatedFailure("catalog", "The catalog failed");
    if (scheduler.chance(terms.failing)) {
      state.isFailed = true;
      terms.onFailed();
      if (scheduler.chance(0.5)) await method(...given);
      throw new SimulatedFailure("catalog", "The catalog's disk failed");
    }
    if (isGrowing && terms.isFull() && scheduler.chance(REFUSED_SHARE)) {
      terms.onFull();
      throw new DiskFullError();
    }
    try {
      return await method(...given);
    } finally {
      if (scheduler.chance(0.5)) await scheduler.turn(life);
    }
  };
}
