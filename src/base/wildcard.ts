/**
 * A pattern in which `*` stands for any text and `?` for any one character; everything else for
 * itself. Each `*` but the last takes the nearest place where what follows fits: a lookahead is
 * never gone back into, so no pattern takes longer than the text is long, times its own length.
 */
export function wildcardPattern(value: string): RegExp {
  return patternOf(value.split(""));
}

/** The same, where a backslash takes from the character after it what it would stand for. */
export function escapableWildcardPattern(value: string): RegExp {
  return patternOf(value.match(/\\.|./gs) ?? []);
}

/** `*`, `?`, or characters that stand for themselves, after a backslash or not. */
function patternOf(parts: readonly string[]): RegExp {
  const pieces = [""];
  let wasStar = false;
  for (const part of parts) {
    const isStar = part === "*";
    if (isStar && !wasStar) pieces.push("");
    if (!isStar) pieces.push(`${pieces.pop()}${part === "?" ? "." : literal(part)}`);
    wasStar = isStar;
  }
  const [first, ...others] = pieces;
  const last = others.pop();
  const middle = others.map((piece, i) => `(?=(.*?${piece}))\\${i + 1}`).join("");
  return new RegExp(last === undefined ? `^${first}$` : `^${first}${middle}.*${last}$`, "s");
}

function literal(part: string): string {
  const character = part.length > 1 ? part.slice(1) : part;
  return character.replace(/[.+*?^${}()|[\]\\]/, "\\$&");
}
