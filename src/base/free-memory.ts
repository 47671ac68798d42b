/** Shorter ones may lie among others, in memory that is handed out in pieces. */
const FREED_BYTES_MIN = 65_536;

/**
 * Frees the memory of bytes that were had alone and that nobody needs any more. What is left to the
 * collector stays until a few dozen blocks have come together, and then all that the program has is
 * gone through for them: that was a quarter of what it took to serve or receive blocks.
 */
export function freeMemory({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= FREED_BYTES_MIN) buffer.transfer(0);
}
