/**
 * A pattern in which `*` stands for any text and `?` for any one character; everything else for
 * itself. Each `*` but the last takes the nearest place where what follows fits: a lookahead is
 * never gone back into, so no pattern takes longer than the text is long, times its own length.
 */
export function wildcardPattern(value: string): RegExp {
  const escaped = value.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\?/g, ".");
  const [first, ...others] = escaped.split(/\*+/);
  const last = others.pop();
  const middle = others.map((part, i) => `(?=(.*?${part}))\\${i + 1}`).join("");
  return new RegExp(last === undefined ? `^${first}$` : `^${first}${middle}.*${last}$`, "s");
}
