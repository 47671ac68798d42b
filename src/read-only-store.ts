import type { Catalog } from "./catalog/catalog.ts";
import { ReadOnlyError } from "./model/errors.ts";
import type { Store } from "./open-store.ts";

/** What only looks, of each table. Whatever is not named here changes something. */
const READS: { readonly [Table in keyof Catalog]: readonly (keyof Catalog[Table])[] } = {
  snapshots: ["startedWith", "get", "page", "relatives", "inState"],
  // What is found damaged while it is read is remembered: that is no change of anybody's.
  blocks: [
    "term",
    "locate",
    "locateAll",
    "pendingWrites",
    "damaged",
    "isDamaged",
    "addDamaged",
    "removeDamaged",
  ],
  identity: ["accounts", "accessKey", "accessKeys", "secrets"],
  sharing: ["grantees", "visible", "visiblePage"],
  retention: ["lock", "lockedSnapshots", "recycled"],
  images: ["get", "named", "page"],
  encryption: ["get", "ofDomain", "page", "due", "madeFor", "ofStore", "notWrappedBy", "defaults"],
  copies: ["all"],
  settings: ["get"],
  garbage: ["seenMs"],
  liveness: ["roots", "nearestRoots", "manifests", "pendingNames", "sealings", "findMissing"],
  segments: ["liveBytes", "endOf", "isLocated", "isRemovable"],
  requests: ["get"],
  journal: ["sequence", "all"],
  scrubs: ["recordsFrom", "scrubs", "findFaults"],
  verifications: ["progress", "page"],
  statistics: ["snapshots", "verifications", "measures"],
  notices: ["count"],
  close: [],
};

/** The same store, every change of which is refused with a `ReadOnlyError`. */
export function readOnly(store: Store): Store {
  const catalog = Object.fromEntries(
    Object.entries(store.catalog).map(([name, table]) => {
      if (typeof table === "function") return [name, table];
      return [name, onlyReading(table, READS[name as keyof Catalog] as readonly string[])];
    }),
  ) as unknown as Catalog;
  // A store that has been served has begun.
  const identity: Catalog["identity"] = Object.create(catalog.identity, {
    begin: { value: async () => undefined },
  });
  const segments = {
    ...store.segments,
    append: () => Promise.reject(new ReadOnlyError()),
    remove: () => Promise.reject(new ReadOnlyError()),
  };
  return { ...store, catalog: { ...catalog, identity }, segments, isReadOnly: true };
}

function onlyReading<T extends object>(table: T, reads: readonly string[]): T {
  return new Proxy(table, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      if (reads.includes(String(name))) return member.bind(target);
      return () => Promise.reject(new ReadOnlyError());
    },
  });
}
