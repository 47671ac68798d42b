import { createHash, hash } from "node:crypto";

/** SHA-256 of the bytes as the API's checksum headers carry it. */
export function checksumOfBlock(bytes: Uint8Array): string {
  return hash("sha256", bytes, "base64");
}

/** LINEAR, computed from its definition: SHA-256 over the raw digests, ascending by index. */
export function linearChecksum(blocks: ReadonlyMap<number, Uint8Array>): string {
  const aggregate = createHash("sha256");
  for (const [, bytes] of [...blocks].sort(([a], [b]) => a - b)) {
    aggregate.update(hash("sha256", bytes, "buffer"));
  }
  return aggregate.digest("base64");
}
