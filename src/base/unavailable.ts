/**
 * Something outside of this process does not answer, or not in time, so nothing is known: neither
 * that what was asked for is there nor that it is not. Worth asking again; never "not found".
 */
export class UnavailableError extends Error {
  override readonly name = "UnavailableError";
}
