/* What a check says of what it saw. */

/** The endpoint did something else than is documented. */
export class Mismatch extends Error {
  readonly seen: string;
  readonly wanted: string;

  constructor(seen: unknown, wanted: unknown) {
    super(`saw ${show(seen)}, wanted ${show(wanted)}`);
    this.seen = show(seen);
    this.wanted = show(wanted);
  }
}

/** What the check needs is not at hand. */
export class Skipped extends Error {}

function show(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof RegExp) return String(value);
  return JSON.stringify(value) ?? String(value);
}

/** Throws unless both are the same text, number or JSON. */
export function same(seen: unknown, wanted: unknown): void {
  if (show(seen) !== show(wanted)) throw new Mismatch(seen, wanted);
}

/** Throws unless the text fits the pattern. */
export function fits(seen: string | undefined, pattern: RegExp): void {
  if (seen === undefined || !pattern.test(seen)) throw new Mismatch(seen ?? "nothing", pattern);
}

/** Throws unless the condition holds; says what was seen and what was wanted. */
export function holds(condition: boolean, seen: unknown, wanted: string): void {
  if (!condition) throw new Mismatch(seen, wanted);
}
