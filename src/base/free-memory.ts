/**
 * Less is left to the collector: it is not worth the call. That the bytes fill their memory is what
 * says that nobody else's lie in it, for no piece of the memory that Node hands out in pieces
 * does.
 */
const FREED_BYTES_MIN = 32_768;

/**
 * Frees memory that nobody needs any more, where the bytes given fill it. What is left to the
 * collector stays until a few dozen blocks have come together, and then all that the program has is
 * gone through for them: a quarter of what it took to serve or receive blocks, and a fifth of what
 * it took to take them in.
 */
export function freeMemory({ buffer, length }: Uint8Array): void {
  const isWhole = buffer instanceof ArrayBuffer && length === buffer.byteLength;
  if (isWhole && length >= FREED_BYTES_MIN) buffer.transfer(0);
}
