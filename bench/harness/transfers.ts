import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import type { Transferred } from "../programs/transfer-client.ts";
import { Child } from "./child.ts";
import type { Sample } from "./rounds.ts";

const run = promisify(execFile);

/** What to move; a download names its snapshot. */
export interface Transfer {
  readonly endpoint: string;
  readonly path: string;
  readonly snapshotId?: string;
}

/** Moves an image with a client process that has done nothing else before. */
export async function transfer(
  direction: "upload" | "download",
  options: Transfer,
): Promise<Transferred & { readonly cpuSeconds: number }> {
  await using client = new Child("transfer-client");
  // A first answer: the process is up and its code is loaded before the clock starts.
  await client.call("ready");
  const before = client.cpuSeconds();
  const moved = await client.call<Transferred>(direction, options);
  return { ...moved, cpuSeconds: client.cpuSeconds() - before };
}

/** The floor of both directions: a sparse copy, made durable, and the copy's SHA-256. */
export async function copyAndHash(from: string, to: string): Promise<Sample> {
  const script = 'cp --sparse=always --reflink=never "$1" "$2" && sync "$2" && sha256sum "$2"';
  const startedAt = performance.now();
  await run("sh", ["-c", script, "sh", from, to]);
  return { seconds: (performance.now() - startedAt) / 1000 };
}

/** SHA-256 of a file, to see that what came back is what went there. */
export async function fileDigest(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
