// Who may import whom in src: the layers of ARCHITECTURE.md, and the rooms of the client library.

/** What each folder of src may import besides itself: the ladder, read upwards. */
const LADDER: Readonly<Record<string, readonly string[]>> = {
  base: [],
  model: ["base"],
  segments: ["base"],
  catalog: ["model", "base"],
  tree: ["model", "base"],
  keys: ["catalog", "model", "base"],
  "data-folder": ["model", "base"],
  blocks: ["segments", "catalog", "model", "base"],
  snapshots: ["blocks", "tree", "keys", "catalog", "model", "base"],
  identity: ["catalog", "model", "base"],
  wire: ["model", "base"],
  signals: ["wire", "snapshots", "blocks", "segments", "catalog", "model", "base"],
  client: ["wire", "model", "base"],
  server: ["wire", "signals", "snapshots", "identity", "keys", "catalog", "model", "base"],
  console: ["client", "wire", "model", "base"],
  cli: ["client", "wire", "model", "base", "service.ts", "rebuild-store.ts", "migrate-store.ts"],
};

/** The composition roots: they alone may import everything. */
const COMPOSITION_ROOTS = [
  "service.ts",
  "service-config.ts",
  "open-store.ts",
  "open-scaled-store.ts",
  "make-core.ts",
  "make-signals.ts",
  "rebuild-store.ts",
  "migrate-store.ts",
  "read-only-store.ts",
];

/** Ports that a supplier in a sibling folder may know, as types only. */
const PORTS_FOR_SIBLINGS: Readonly<Record<string, string>> = {
  "tree/node-store.ts": "blocks",
};

/** What each room of src/client may import besides itself, its errors and the layers below. */
const CLIENT_ROOMS: Readonly<Record<string, readonly string[]>> = {
  transport: [],
  call: ["transport"],
  settings: ["call"],
  api: ["call"],
  image: [],
  transfer: ["image", "api", "call"],
  upload: ["transfer", "image", "api", "call"],
  download: ["transfer", "image", "api", "call"],
  inspect: ["transfer", "image", "api", "call"],
  copy: ["inspect", "transfer", "api", "call"],
  prune: ["api", "call"],
};

/** The files of src/client that lie in no room: its doors, and the errors that all rooms throw. */
const CLIENT_DOORS = ["everywhere.ts", "index.ts", "browser.ts"];
const CLIENT_ERRORS = ["errors.ts", "service-errors.ts"];

/** What is wrong with an import of a file of src; `target` is a path from the checkout's root. */
export function checkLadder(from: string, target: string, typeOnly: boolean): string | undefined {
  if (COMPOSITION_ROOTS.includes(from)) return undefined;
  const to = target.replace(/^src\//, "");
  if (to === target) return `imports ${target} from outside src`;
  const [folder = "", toFolder = ""] = [folderOf(from), folderOf(to)];
  if (folder === toFolder) return folder === "client" ? checkRooms(from, to) : undefined;
  if (LADDER[folder] === undefined) return `${folder} is not on the ladder`;
  if (LADDER[folder].includes(toFolder)) return undefined;
  if (PORTS_FOR_SIBLINGS[to] === folder) {
    return typeOnly ? undefined : `may import ${to} only with "import type"`;
  }
  return `${folder} may not import ${toFolder} (${to})`;
}

function checkRooms(from: string, to: string): string | undefined {
  const [room, toRoom] = [roomOf(from), roomOf(to)];
  if (CLIENT_DOORS.includes(room) || room === toRoom || CLIENT_ERRORS.includes(toRoom)) {
    return undefined;
  }
  if (CLIENT_ROOMS[room]?.includes(toRoom)) return undefined;
  return `client/${room} may not import client/${toRoom} (${to})`;
}

/** The folder directly below src; the file itself where it lies in src. */
export function folderOf(inSrc: string): string {
  return inSrc.split("/")[0] ?? "";
}

/** The folder of src/client; the file itself where it lies in no room. */
function roomOf(inSrc: string): string {
  return inSrc.split("/")[1] ?? "";
}

/** True where a path of src lies in a layer or is a composition root. */
export function isOnLadder(inSrc: string): boolean {
  const folder = folderOf(inSrc);
  return LADDER[folder] !== undefined || COMPOSITION_ROOTS.includes(folder);
}
