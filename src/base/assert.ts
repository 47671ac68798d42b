/**
 * Stops the caller when something that must always hold does not. For our own mistakes and for
 * corrupted state, never for bad input: input gets a `ServiceError` that names the field.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Assertion failed: ${message}`);
}
