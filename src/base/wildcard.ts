/**
 * A pattern in which `*` stands for any text and `?` for any one character. No pattern takes longer
 * than the text is long, times the pattern's own length, and none is too long to be matched.
 */
export interface WildcardPattern {
  /** True when the whole text fits. */
  readonly test: (text: string) => boolean;
}

/** The pattern that a text is; everything but `*` and `?` stands for itself. */
export function wildcardPattern(value: string): WildcardPattern {
  return patternOf(value.split(""));
}

/** The same, where a backslash takes from the character after it what it would stand for. */
export function escapableWildcardPattern(value: string): WildcardPattern {
  return patternOf(partsOf(value));
}

/** The one text that fits such a pattern; undefined where a wildcard lets several fit. */
export function onlyMatchOf(value: string): string | undefined {
  const parts = partsOf(value);
  return parts.some(isWildcard) ? undefined : parts.map(literal).join("");
}

function partsOf(value: string): readonly string[] {
  return value.match(/\\.|./gs) ?? [];
}

function isWildcard(part: string): boolean {
  return part === "*" || part === "?";
}

/** The character that a part stands for, after a backslash or not. */
function literal(part: string): string {
  return part.length > 1 ? part.slice(1) : part;
}

/** What stands between two stars. */
interface Piece {
  readonly length: number;
  /** Where it fits in a text, from a place on; -1 for nowhere. */
  readonly find: (text: string, from: number) => number;
  readonly fitsAt: (text: string, at: number) => boolean;
}

/**
 * Each piece takes the nearest place where it fits, but for the last, which ends the text. What was
 * found is never gone back on: a place further on would leave less to those that follow.
 */
function patternOf(parts: readonly string[]): WildcardPattern {
  const groups: string[][] = [[]];
  for (const part of parts) {
    if (part === "*") groups.push([]);
    else groups.at(-1)?.push(part);
  }
  const [first, ...others] = groups.map(pieceOf) as [Piece, ...Piece[]];
  const last = others.pop();
  if (!last) return { test: (text) => text.length === first.length && first.fitsAt(text, 0) };
  const middle = others.filter(({ length }) => length > 0);
  const lengthMin = [first, ...middle, last].reduce((sum, { length }) => sum + length, 0);
  return {
    test(text) {
      if (text.length < lengthMin || !first.fitsAt(text, 0)) return false;
      let at = first.length;
      for (const piece of middle) {
        const found = piece.find(text, at);
        if (found < 0) return false;
        at = found + piece.length;
      }
      const end = text.length - last.length;
      return at <= end && last.fitsAt(text, end);
    },
  };
}

function pieceOf(parts: readonly string[]): Piece {
  const { length } = parts;
  const text = parts.map(literal).join("");
  if (!parts.some(isWildcard)) {
    return {
      length,
      find: (whole, from) => whole.indexOf(text, from),
      fitsAt: (whole, at) => whole.startsWith(text, at),
    };
  }
  // No character has the code -1: it fits any.
  const codes = parts.map((part) => (part === "?" ? -1 : literal(part).charCodeAt(0)));
  const fitsAt = (whole: string, at: number) => {
    if (at + length > whole.length) return false;
    for (let i = 0; i < length; i++) {
      if (codes[i] !== -1 && codes[i] !== whole.charCodeAt(at + i)) return false;
    }
    return true;
  };
  return {
    length,
    find(whole, from) {
      for (let at = from; at + length <= whole.length; at++) if (fitsAt(whole, at)) return at;
      return -1;
    },
    fitsAt,
  };
}
