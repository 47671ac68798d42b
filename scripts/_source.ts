// Reads TypeScript source just well enough for tidy.ts: which characters are code, which are
// comments, where imports and functions stand. It relies on Biome having formatted the file.

/** A source file taken apart. All texts have the same length and the same line breaks. */
export interface Source {
  readonly text: string;
  /** The text with comments and the insides of strings and regular expressions blanked. */
  readonly code: string;
  /** The text with everything but comments blanked. */
  readonly comments: string;
}

/** One import or re-export; `line` is 1-based. */
export interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  readonly line: number;
}

/** One function with a body; lengths are in lines, from its head to its closing brace. */
export interface FunctionShape {
  readonly name: string;
  readonly line: number;
  readonly lineCount: number;
}

/** One parameter list of a named function, method or signature. */
export interface ParameterList {
  readonly name: string;
  readonly line: number;
  readonly count: number;
}

/** Separates code from comments. */
export function readSource(text: string): Source {
  const code = text.split("");
  const comments = text.replace(/[^\n]/g, " ").split("");
  let at = 0;
  while (at < text.length) {
    const end = skipPiece(text, at);
    if (end.kind === "comment") {
      for (let i = at; i < end.at; i++) if (text[i] !== "\n") comments[i] = text[i] ?? " ";
    }
    if (end.kind !== "code") blank(code, end.kind === "comment" ? at : at + 1, end);
    at = end.at;
  }
  return { text, code: code.join(""), comments: comments.join("") };
}

type PieceEnd = { readonly kind: "code" | "comment" | "quoted"; readonly at: number };

function blank(code: string[], from: number, end: PieceEnd): void {
  const to = end.kind === "comment" ? end.at : end.at - 1;
  for (let i = from; i < to; i++) if (code[i] !== "\n") code[i] = " ";
}

/** The end of the piece that starts at `at`: one comment, one literal or one plain character. */
function skipPiece(text: string, at: number): PieceEnd {
  const two = text.slice(at, at + 2);
  if (two === "//" || (at === 0 && two === "#!")) return { kind: "comment", at: lineEnd(text, at) };
  if (two === "/*") return { kind: "comment", at: after(text, "*/", at + 2) };
  const char = text[at];
  if (char === '"' || char === "'") return { kind: "quoted", at: stringEnd(text, at) };
  if (char === "`") return { kind: "quoted", at: templateEnd(text, at) };
  // A slash before ">" ends an element of JSX.
  if (char === "/" && text[at + 1] !== ">" && regexMayStart(text, at))
    return { kind: "quoted", at: regexEnd(text, at) };
  return { kind: "code", at: at + 1 };
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end === -1 ? text.length : end;
}

function after(text: string, what: string, at: number): number {
  const found = text.indexOf(what, at);
  return found === -1 ? text.length : found + what.length;
}

function stringEnd(text: string, at: number): number {
  let i = at + 1;
  while (i < text.length && text[i] !== text[at] && text[i] !== "\n") i += text[i] === "\\" ? 2 : 1;
  return i + 1;
}

/** Expressions inside a template count as part of it: few are longer than a name. */
function templateEnd(text: string, at: number): number {
  let i = at + 1;
  while (i < text.length && text[i] !== "`") {
    if (text[i] === "\\") i += 2;
    else if (text.startsWith("${", i)) i = expressionEnd(text, i + 2);
    else i += 1;
  }
  return i + 1;
}

function expressionEnd(text: string, at: number): number {
  let depth = 1;
  let i = at;
  while (i < text.length && depth > 0) {
    if (text[i] === "{") depth += 1;
    if (text[i] === "}") depth -= 1;
    i = skipPiece(text, i).at;
  }
  return i;
}

function regexMayStart(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 40), at).trimEnd();
  return before === "" || /(?:[=(,:[!&|?{};>]|\breturn|\bcase)$/.test(before);
}

function regexEnd(text: string, at: number): number {
  let inClass = false;
  let i = at + 1;
  while (i < text.length && text[i] !== "\n" && (inClass || text[i] !== "/")) {
    if (text[i] === "[") inClass = true;
    if (text[i] === "]") inClass = false;
    i += text[i] === "\\" ? 2 : 1;
  }
  return i + 1;
}

/** The 1-based line of a character. */
export function lineAt(text: string, at: number): number {
  return text.slice(0, at).split("\n").length;
}

/** All imports: static, re-exported and dynamic with a literal. */
export function findImports({ text, code }: Source): Import[] {
  const clauses = /^(?:import|export)\b(\s+type\b(?!\s+from))?[^;"'()=]*?\bfrom\s*["']/gm;
  const bare = /(?:^import\s*|\bimport\(\s*)()["']/gm;
  return [...code.matchAll(clauses), ...code.matchAll(bare)].map((match) => {
    const start = match.index + match[0].length;
    const end = text.indexOf(text[start - 1] ?? '"', start);
    const typeOnly = (match[1] ?? "").trim() === "type";
    return { specifier: text.slice(start, end), typeOnly, line: lineAt(text, match.index) };
  });
}

const NOT_FUNCTIONS = new Set(["if", "for", "while", "switch", "catch", "return", "await", "with"]);
const MODIFIERS =
  "(?:(?:export|default|public|private|protected|static|override|async|get|set) +)*";
const HEADS = [
  /\bfunction\b *\*? *([\w$]*)(?:<[^(]*>)?\(/g,
  /\bconst ([\w$]+)(?:: [^=\n]+)? = (?:async )?(?:<[^(]*>)?\(/g,
  new RegExp(`^ +${MODIFIERS}\\*?(#?[\\w$]+)\\??(?:<[^(\\n]*>)?\\(`, "gm"),
];

/** Every named parameter list, and every function body with or without a name. */
export function findFunctions(source: Source): {
  functions: FunctionShape[];
  parameterLists: ParameterList[];
} {
  const { code } = source;
  const bodies = new Map<number, string>();
  const parameterLists: ParameterList[] = [];
  for (const head of HEADS) {
    for (const match of code.matchAll(head)) {
      const name = match[1] || "anonymous";
      if (NOT_FUNCTIONS.has(name)) continue;
      const open = match.index + match[0].length - 1;
      const close = matching(code, open);
      const rest = afterParameters(code, close, head === HEADS[1]);
      if (rest === undefined) continue;
      const line = lineAt(code, open);
      parameterLists.push({ name, line, count: countParameters(code.slice(open + 1, close)) });
      if (rest.body !== undefined) bodies.set(rest.body, name);
    }
  }
  for (const match of code.matchAll(/=>\s*\{/g)) {
    const body = match.index + match[0].length - 1;
    if (!bodies.has(body)) bodies.set(body, "callback");
  }
  return { functions: [...bodies].map(([at, name]) => shapeOf(code, at, name)), parameterLists };
}

function shapeOf(code: string, body: number, name: string): FunctionShape {
  const line = lineAt(code, body);
  return { name, line, lineCount: lineAt(code, matching(code, body)) - line + 1 };
}

/** The position of the bracket that closes the one at `open`. */
function matching(code: string, open: number): number {
  let depth = 0;
  for (let i = open; i < code.length; i++) {
    if ("([{".includes(code[i] ?? " ")) depth += 1;
    if (")]}".includes(code[i] ?? " ")) depth -= 1;
    if (depth === 0) return i;
  }
  return code.length;
}

/**
 * What follows a closed parameter list: the position of the body's brace, or a signature without
 * one (empty result), or undefined where it was no parameter list but a call.
 */
function afterParameters(
  code: string,
  close: number,
  isArrow: boolean,
): { body?: number } | undefined {
  let i = close + 1;
  const next = code.slice(i).match(/^\s*(\{|:|=>)/)?.[1];
  if (next === undefined || (isArrow && next === "{")) return undefined;
  if (next === "{") return { body: code.indexOf("{", i) };
  if (next === ":") i = typeEnd(code, code.indexOf(":", i) + 1, isArrow);
  const tail = code.slice(i).match(/^\s*(=>\s*)?(\{)?/);
  const hasBody = tail?.[2] !== undefined && (tail[1] !== undefined) === isArrow;
  if (hasBody) return { body: i + (tail?.[0].length ?? 0) - 1 };
  return {};
}

/** The end of a return type: where its function's arrow, body or semicolon stands. */
function typeEnd(code: string, from: number, isArrow: boolean): number {
  let i = from;
  while (i < code.length) {
    const rest = code.slice(i);
    if (isArrow && rest.startsWith("=>")) return i;
    if (/^[;)\]},]/.test(rest)) return i;
    const isType = /(?:[:|&<,(]|=>|\b(?:is|extends|keyof|readonly))$/.test(
      code.slice(Math.max(0, i - 60), i).trimEnd(),
    );
    if (code[i] === "{" && !isType) return i;
    i = "([{".includes(code[i] ?? " ") ? matching(code, i) + 1 : i + 1;
    if (code[i - 1] === "<") i = angleEnd(code, i);
  }
  return i;
}

/** The position after the angle bracket that closes the one before `from`. */
function angleEnd(code: string, from: number): number {
  let depth = 1;
  let i = from;
  while (i < code.length && depth > 0) {
    if (code[i] === "<") depth += 1;
    if (code[i] === ">" && code[i - 1] !== "=") depth -= 1;
    i += 1;
  }
  return i;
}

function countParameters(list: string): number {
  let depth = 0;
  let count = 0;
  let pending = false;
  for (let i = 0; i < list.length; i++) {
    const char = list[i] ?? " ";
    if ("([{<".includes(char)) depth += 1;
    if (")]}".includes(char) || (char === ">" && list[i - 1] !== "=")) depth -= 1;
    if (char === "," && depth === 0) pending = false;
    else if (char.trim() !== "" && !pending) {
      pending = true;
      count += 1;
    }
  }
  return count;
}
