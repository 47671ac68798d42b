import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  opendirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { runProgram } from "./process.ts";

/** Where e2fsprogs lies when it is not in the path of an ordinary user. */
const PATH = `${process.env["PATH"]}:/usr/sbin:/sbin`;
/** Where the files are taken from: programs, libraries, documents, fonts. */
const FILES_FROM = "/usr";
/** Files of these sizes are added by the changes, and as many removed. */
const CHANGED_FILES = 200;

/** A file system to make, in a sparse image. */
export interface FileSystemOptions {
  readonly folder: string;
  readonly sizeBytes: number;
  /** Bytes of files in it, taken from this machine's own. */
  readonly filesBytes: number;
}

/** Paths of the image as it was made, and of another after files in it were changed. */
export interface Images {
  readonly before: string;
  readonly after: string;
}

/** Makes both images, durable, so that no later measurement pays for writing them. */
export async function makeFileSystem(options: FileSystemOptions): Promise<Images> {
  const { folder, sizeBytes, filesBytes } = options;
  const files = mkdtempSync(join(folder, "files-"));
  const gathered = gatherFiles(FILES_FROM, files, filesBytes);
  const images = { before: join(folder, "before.raw"), after: join(folder, "after.raw") };
  writeFileSync(images.before, "");
  truncateSync(images.before, sizeBytes);
  const run = (...command: readonly [string, ...string[]]) =>
    runProgram(command, { env: { ...process.env, PATH } });
  await run("mkfs.ext4", "-q", "-F", "-d", files, images.before);
  await run("cp", "--sparse=always", images.before, images.after);
  const commands = changesTo(gathered, files);
  const script = join(folder, "changes");
  writeFileSync(script, `${commands.join("\n")}\n`);
  await run("debugfs", "-w", "-f", script, images.after);
  await run("e2fsck", "-fn", images.after);
  rmSync(files, { recursive: true });
  await run("sync", images.before, images.after);
  return images;
}

/** Every so many-th file is removed, and another one written anew under a new name. */
function changesTo(gathered: readonly string[], files: string): string[] {
  const step = Math.max(2, Math.floor(gathered.length / CHANGED_FILES));
  const removed = gathered.filter((_, i) => i % step === 0);
  const added = gathered.filter((_, i) => i % step === 1);
  return [
    ...removed.map((path) => `rm ${path}`),
    "mkdir /changed",
    ...added.map((path, i) => `write ${join(files, path)} /changed/${i}`),
  ];
}

/** Copies regular files until they are that many bytes; answers their paths in the copy. */
function gatherFiles(from: string, to: string, bytesMax: number): string[] {
  const gathered: string[] = [];
  let bytes = 0;
  for (const path of filesBelow(from)) {
    const { size } = lstatSync(path);
    // debugfs divides its commands at spaces and quotes.
    if (size === 0 || bytes + size > bytesMax || /[^\w./+-]/.test(path)) continue;
    mkdirSync(dirname(join(to, path)), { recursive: true });
    cpSync(path, join(to, path));
    gathered.push(path);
    bytes += size;
    if (bytes > bytesMax * 0.99) break;
  }
  return gathered;
}

/** Regular files below a folder. */
export function* filesBelow(path: string): Generator<string> {
  const directory = opendirSync(path);
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      const below = join(path, entry.name);
      if (entry.isDirectory()) yield* filesBelow(below);
      else if (entry.isFile()) yield below;
    }
  } finally {
    directory.closeSync();
  }
}
