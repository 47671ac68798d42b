import { pick } from "../support/property.ts";

/** Bytes that parsers of text take notice of, and numbers at the edge of their types. */
const TOKENS = [
  ..."\0\t\n\r \"#%&'()*+,-./0123456789:;<=>?@AZ[\\]^_`az{|}~\x7f\x80\xff",
  ...["%00", "%2B", "%zz", "%c0%af", "\\u0000", "\\ud800", "__proto__", "constructor", "toString"],
  ...["null", "true", "-0", "1e400", "1e-7", "9007199254740993", "99999999999999999999", "NaN"],
  ...[
    `{"`,
    `":`,
    "[[[[[[[[",
    "{}",
    "[]",
    "$" + "{x}",
    "..",
    "//",
    "a=b",
    "&&",
    "==",
    ";;",
    "\xef\xbb\xbf",
  ],
  ..."\xff\xff\xff\xff,\x00\x00\x00\x80,\xff\xff\xff\x7f,\x00\x02,\x10\x00".split(","),
].map((text) => Buffer.from(text, "latin1"));

/** Longest input that is made: what a body may have, and something more. */
const INPUT_BYTES_MAX = 70_000;

/** Makes inputs from those of a corpus: bytes changed, cut, copied and joined, as chance has it. */
export function mutator(corpus: readonly Uint8Array[], fraction: () => number): () => Buffer {
  return () => {
    let bytes: Buffer = Buffer.from(one(corpus, fraction));
    const changes = 1 + pick(fraction, 6);
    for (let i = 0; i < changes; i++) {
      bytes = CHANGES[pick(fraction, CHANGES.length)]?.(bytes, fraction, corpus) ?? bytes;
    }
    return bytes.length > INPUT_BYTES_MAX ? bytes.subarray(0, INPUT_BYTES_MAX) : bytes;
  };
}

type Change = (bytes: Buffer, fraction: () => number, corpus: readonly Uint8Array[]) => Buffer;

const CHANGES: readonly Change[] = [
  flipBit,
  setByte,
  insertToken,
  replaceToken,
  cut,
  repeat,
  join,
  swap,
];

function one(corpus: readonly Uint8Array[], fraction: () => number): Uint8Array {
  return corpus[pick(fraction, corpus.length)] as Uint8Array;
}

function flipBit(bytes: Buffer, fraction: () => number): Buffer {
  if (bytes.length === 0) return bytes;
  const at = pick(fraction, bytes.length);
  bytes[at] = (bytes[at] as number) ^ (1 << pick(fraction, 8));
  return bytes;
}

function setByte(bytes: Buffer, fraction: () => number): Buffer {
  if (bytes.length > 0) bytes[pick(fraction, bytes.length)] = pick(fraction, 256);
  return bytes;
}

function insertToken(bytes: Buffer, fraction: () => number): Buffer {
  const at = pick(fraction, bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), one(TOKENS, fraction), bytes.subarray(at)]);
}

function replaceToken(bytes: Buffer, fraction: () => number): Buffer {
  if (bytes.length > 0)
    bytes.set(one(TOKENS, fraction).subarray(0, 1), pick(fraction, bytes.length));
  return bytes;
}

function cut(bytes: Buffer, fraction: () => number): Buffer {
  const [start, count] = [pick(fraction, bytes.length + 1), pick(fraction, 17)];
  return Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + count)]);
}

/** A piece is repeated, seldom very often: depth and length are found that way. */
function repeat(bytes: Buffer, fraction: () => number): Buffer {
  const start = pick(fraction, bytes.length + 1);
  const piece = bytes.subarray(start, start + 1 + pick(fraction, 32));
  const times = fraction() < 0.02 ? 1_000 : 1 + pick(fraction, 4);
  const pieces = Array.from({ length: times }, () => piece);
  return Buffer.concat([bytes.subarray(0, start), ...pieces, bytes.subarray(start)]);
}

function join(bytes: Buffer, fraction: () => number, corpus: readonly Uint8Array[]): Buffer {
  const other = one(corpus, fraction);
  const end = pick(fraction, bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, end), other.subarray(pick(fraction, other.length + 1))]);
}

function swap(bytes: Buffer, fraction: () => number): Buffer {
  if (bytes.length < 2) return bytes;
  const [a, b] = [pick(fraction, bytes.length), pick(fraction, bytes.length)];
  [bytes[a], bytes[b]] = [bytes[b] as number, bytes[a] as number];
  return bytes;
}
