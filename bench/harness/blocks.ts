import { createCipheriv, createHash, hash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";

/** Blocks that differ in their first bytes only, so that thousands cost the memory of a few. */
export interface BlockSetOptions {
  readonly kind: "random" | "text";
  /** Sets of different names share no block. */
  readonly name: string;
  readonly count: number;
}

/** Bytes at the start of each block that make it distinct. */
export const HEAD_BYTES = 16;
/** Bodies that text blocks are cut from: enough that no compressor could tell. */
const TEXT_BODIES = 32;

/** The blocks of a set, in two pieces each, with checksums made before any clock starts. */
export class BlockSet {
  readonly count: number;
  readonly #heads: Buffer[] = [];
  readonly #bodies: readonly Uint8Array[];
  readonly #checksums: string[] = [];

  constructor({ kind, name, count }: BlockSetOptions) {
    this.count = count;
    this.#bodies = kind === "random" ? [randomBody()] : textBodies();
    for (let i = 0; i < count; i++) {
      const head = hash("sha256", `${kind} ${name} ${i}`, "buffer").subarray(0, HEAD_BYTES);
      this.#heads.push(head);
      const sum = createHash("sha256").update(head).update(this.#body(i));
      this.#checksums.push(sum.digest("base64"));
    }
  }

  /** The two pieces of block `i`; together 512 KiB. */
  pieces(i: number): readonly [head: Buffer, body: Uint8Array] {
    return [this.#heads[i] as Buffer, this.#body(i)];
  }

  checksum(i: number): string {
    return this.#checksums[i] as string;
  }

  #body(i: number): Uint8Array {
    return this.#bodies[i % this.#bodies.length] as Uint8Array;
  }
}

/** The key stream of a cipher: incompressible, and the same in every process. */
export function randomBytesFrom(seed: string, length: number): Buffer {
  const key = hash("sha256", seed, "buffer");
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

function randomBody(): Uint8Array {
  return randomBytesFrom("body", BLOCK_SIZE_BYTES - HEAD_BYTES);
}

/** Windows into real source text: the declarations of the packages this checkout has installed. */
function textBodies(): Uint8Array[] {
  const length = BLOCK_SIZE_BYTES - HEAD_BYTES;
  const text = concatenatedSources(TEXT_BODIES * length);
  if (text.length < length) throw new Error("node_modules holds too little text");
  const stride = Math.floor((text.length - length) / TEXT_BODIES);
  return Array.from({ length: TEXT_BODIES }, (_, i) =>
    text.subarray(i * stride, i * stride + length),
  );
}

function concatenatedSources(lengthMax: number): Buffer {
  const root = join(import.meta.dirname, "..", "..", "node_modules");
  const folders = ["typescript", "@types/node", "@smithy", "@aws-sdk"].map((f) => join(root, f));
  const pieces: Buffer[] = [];
  let length = 0;
  for (const folder of folders) {
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
      const path = join(folder, name);
      if (length >= lengthMax || !/\.(?:[cm]?[jt]s|md|json)$/.test(name)) continue;
      if (!statSync(path).isFile()) continue;
      const piece = readFileSync(path);
      pieces.push(piece);
      length += piece.length;
    }
  }
  return Buffer.concat(pieces).subarray(0, lengthMax);
}
