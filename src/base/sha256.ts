/*
 * SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104) without any help of the platform, for the short
 * texts of a signature where the platform offers hashing only in promises, or not at all. Some
 * 20 times slower than the platform's own.
 */

/** Bytes that are hashed at a time. */
const PIECE_BYTES = 64;
const FIRST_PRIMES_COUNT = 64;

/** SHA-256 of the bytes: 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  const { roots, state } = constants();
  const padded = pad(bytes);
  const words = new Uint32Array(FIRST_PRIMES_COUNT);
  for (let offset = 0; offset < padded.byteLength; offset += PIECE_BYTES) {
    fillSchedule(words, padded, offset);
    mix(state, words, roots);
  }
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => {
    digest.setUint32(4 * i, word);
  });
  return new Uint8Array(digest.buffer);
}

/** HMAC-SHA-256 of the bytes under the key: 32 bytes. */
export function hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const block = new Uint8Array(PIECE_BYTES);
  block.set(key.length > PIECE_BYTES ? sha256(key) : key);
  const inner = sha256(join(block.map(xorWith(0x36)), bytes));
  return sha256(join(block.map(xorWith(0x5c)), inner));
}

function xorWith(mask: number): (byte: number) => number {
  return (byte) => byte ^ mask;
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** The bytes, a one bit, zeros, and their length in bits, to a multiple of 64 bytes. */
function pad(bytes: Uint8Array): DataView {
  const length = Math.ceil((bytes.length + 9) / PIECE_BYTES) * PIECE_BYTES;
  const padded = new Uint8Array(length);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(length - 4, bytes.length << 3);
  return view;
}

/** Fractions of the roots of the first primes, as the standard wants them, and the first state. */
function constants(): { readonly roots: Uint32Array; readonly state: Uint32Array } {
  const primes: number[] = [];
  for (let n = 2; primes.length < FIRST_PRIMES_COUNT; n++) {
    if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  }
  const fraction = (root: number) => Math.floor((root % 1) * 2 ** 32);
  return {
    roots: Uint32Array.from(primes, (prime) => fraction(Math.cbrt(prime))),
    state: Uint32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime))),
  };
}

function fillSchedule(words: Uint32Array, bytes: DataView, offset: number): void {
  for (let i = 0; i < 16; i++) words[i] = bytes.getUint32(offset + 4 * i);
  for (let i = 16; i < words.length; i++) {
    const [early, late] = [words[i - 15] as number, words[i - 2] as number];
    const first = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
    const second = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
    words[i] = (words[i - 16] as number) + first + (words[i - 7] as number) + second;
  }
}

function mix(state: Uint32Array, words: Uint32Array, roots: Uint32Array): void {
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < words.length; i++) {
    const high = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const choice = (e & f) ^ (~e & g);
    const first = (h + high + choice + (roots[i] as number) + (words[i] as number)) | 0;
    const low = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    [h, g, f, e] = [g, f, e, (d + first) | 0];
    [d, c, b, a] = [c, b, a, (first + low + majority) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => {
    state[i] = (state[i] as number) + word;
  });
}

function rotate(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}
