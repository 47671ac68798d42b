import { createHash } from "node:crypto";
import { mkdir, rm, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createClient, uploadSnapshot } from "../../src/client/index.ts";
import type { Service } from "../../src/service.ts";
import { run, type Tool } from "./program.ts";
import { sdkOptions } from "./service.ts";
import { type Cleanup, temporaryDirectory } from "./temporary-directory.ts";

/*
 * A real ext4 file system with files whose contents are known: what other people's programs put
 * into snapshots, and what they look for in them.
 */

/** What makes the file system. */
export const MKFS: Tool = { show: ["mkfs.ext4", "-V"] };

/** An image that holds a file system. */
export interface FileSystem {
  /** A folder of the test's own, in which the image lies. */
  readonly folder: string;
  readonly image: string;
  /** SHA-256 in hexadecimal of each file's contents, by path inside the file system. */
  readonly digests: ReadonlyMap<string, string>;
}

/** Sizes around those at which ext4 lays out files differently, and one of many blocks. */
const FILES: readonly (readonly [path: string, sizeBytes: number])[] = [
  ["/empty", 0],
  ["/etc/os-release", 161],
  ["/etc/deep/er/one-more", 4_096],
  ["/var/lib/odd", 524_289],
  ["/var/lib/large", 3 * 2 ** 20 + 5],
];

/** Small, for programs built without optimisation; the volume it is put into has one GiB. */
export const IMAGE_BYTES = 64 * 2 ** 20;

/** Makes the file system in a sparse image. */
export async function makeFileSystem(t: Cleanup): Promise<FileSystem> {
  const folder = await temporaryDirectory(t);
  const files = join(folder, "files");
  const digests = new Map<string, string>();
  for (const [path, sizeBytes] of FILES) {
    const bytes = bytesOf(path, sizeBytes);
    digests.set(path, createHash("sha256").update(bytes).digest("hex"));
    await mkdir(dirname(join(files, path)), { recursive: true });
    await writeFile(join(files, path), bytes);
  }
  const image = join(folder, "file-system.raw");
  await writeFile(image, "");
  await truncate(image, IMAGE_BYTES);
  await run(["mkfs.ext4", "-q", "-F", "-d", files, image]);
  await rm(files, { recursive: true });
  return { folder, image, digests };
}

/** Puts an image into the service with Varve's own client; answers the snapshot's id. */
export async function uploaded(service: Service, image: string): Promise<string> {
  const client = createClient(sdkOptions(service));
  return (await uploadSnapshot(client, { path: image })).snapshotId;
}

/** Bytes that repeat nowhere and are the same at each run. */
function bytesOf(path: string, sizeBytes: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let length = 0; length < sizeBytes; length += 32) {
    pieces.push(createHash("sha256").update(`${path} ${length}`).digest());
  }
  return Buffer.concat(pieces).subarray(0, sizeBytes);
}
