// The shape of the code, checked: ladder, private files, hidden clocks and chance, lengths, words,
// and that ARCHITECTURE.md and the other pages name only what exists. Prints the shape of each
// folder; ends with exit code 1 when a rule is broken. Run by `npm run check`.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { checkLadder, folderOf, isOnLadder } from "./_ladder.ts";
import type { FunctionShape, Import, ParameterList, Source } from "./_source.ts";
import { findFunctions, findImports, lineAt, readSource } from "./_source.ts";

const ROOT = dirname(import.meta.dirname);
const LINE_COLUMNS_MAX = 100;
const FILE_LINES_MAX = 400;
const TEST_FILE_LINES_MAX = 600;
const FUNCTION_LINES_MAX = 70;
const PARAMETER_COUNT_MAX = 3;

/** Node modules that only some folders may import. */
const NODE_MODULE_RULES = [
  {
    rule: "disk",
    modules: /^node:fs(\/|$)/,
    folders: ["segments", "catalog", "data-folder", "signals", "client", "cli"],
  },
  {
    rule: "socket",
    modules: /^node:(http|https|http2|net|tls|dgram)$/,
    folders: ["server", "client"],
  },
] as const;

/** Folders that run anywhere, so import no module of Node. */
const PURE_FOLDERS = ["base", "model", "wire", "console"];

/** What reads time or chance, and the one file that may. */
const HIDDEN_INPUTS = [
  {
    rule: "time",
    home: "base/clock.ts",
    patterns: [
      /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b|\bprocess\.hrtime\b/g,
      /(?<!\.)\bset(?:Timeout|Interval)\b/g,
    ],
  },
  {
    rule: "chance",
    home: "base/random.ts",
    patterns: [
      /\bMath\.random\b|\bcrypto\.random\w*|\bgetRandomValues\b/g,
      /(?<!\.)\brandom(?:UUID|Bytes|Int|Fill|FillSync)\b/g,
    ],
  },
] as const;

const BANNED_WORDS = [
  { pattern: /tenant/gi, instead: "account or owner" },
  { pattern: /fsck/gi, instead: "scrub or verify" },
  { pattern: /chunk(?!Size\b)/gi, instead: "block, or bytes for a piece of a stream" },
  { pattern: /\bcursor/gi, instead: "page token" },
  { pattern: /\b(?:TODO|FIXME|XXX)\b/g, instead: "the finished thing" },
] as const;

type Rule = "disk" | "socket" | "pure" | "time" | "chance" | "parameters" | "function" | "file";

/** The list may only shrink: an entry that is no longer needed is reported, too. */
const EXCEPTIONS: readonly { rule: Rule; path: string; name?: string; reason: string }[] = [
  { rule: "disk", path: "src/rebuild-store.ts", reason: "removes what it made of a catalog" },
  ...["putSnapshotBlock", "completeSnapshot", "getSnapshotBlock"].map(seedShape),
  ...["listSnapshotBlocks", "listChangedBlocks"].map(seedShape),
];

/** The client's operations have the parameters of the module that the project began from. */
function seedShape(name: string): (typeof EXCEPTIONS)[number] {
  return {
    rule: "parameters",
    path: "src/client/api/ebs-operations.ts",
    name,
    reason: "the seed's shape",
  };
}

interface File {
  readonly path: string;
  /** The path below src, or undefined for a file elsewhere. */
  readonly inSrc: string | undefined;
  readonly isTest: boolean;
  readonly lines: readonly string[];
  readonly source: Source;
  readonly imports: readonly Import[];
  readonly functions: readonly FunctionShape[];
  readonly parameterLists: readonly ParameterList[];
}

type Violation = readonly [file: File | string, line: number, message: string];

const usedExceptions = new Set<number>();

process.exitCode = main();

function main(): number {
  const files = ["src", "test", "bench", "scripts"].flatMap(listFiles).map(readFile);
  const violations = files.flatMap((file) => [
    ...checkText(file),
    ...checkImports(file),
    ...checkFunctions(file),
    ...checkDocComments(file),
    ...(file.inSrc !== undefined && !file.isTest ? checkProduct(file) : []),
  ]);
  violations.push(...checkArchitecture(files), ...checkPages(), ...checkExceptions());
  printShape(files);
  const texts = violations.map(([file, line, message]) => {
    return `${typeof file === "string" ? file : file.path}:${line} ${message}`;
  });
  for (const text of texts) console.error(text);
  if (texts.length > 0) console.error(`tidy: ${texts.length} violations`);
  return texts.length > 0 ? 1 : 0;
}

function listFiles(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  const paths = names.map((name) => posix.join(folder, name.replaceAll("\\", "/")));
  return paths
    .filter((path) => /\.(?:m?ts|tsx)$/.test(path) && !path.includes("node_modules/"))
    .sort();
}

function readFile(path: string): File {
  const text = readFileSync(join(ROOT, path), "utf8");
  const source = readSource(text);
  return {
    path,
    inSrc: path.startsWith("src/") ? path.slice("src/".length) : undefined,
    isTest: path.startsWith("test/") || /\.(?:test|suite)\.ts$/.test(path),
    lines: text.replace(/\n$/, "").split("\n"),
    source,
    imports: findImports(source),
    ...findFunctions(source),
  };
}

/** Lengths of lines and files, and words. A line with a web address may be longer. */
function checkText(file: File): Violation[] {
  const violations: Violation[] = [];
  const linesMax = file.isTest ? TEST_FILE_LINES_MAX : FILE_LINES_MAX;
  if (file.lines.length > linesMax && !excepted("file", file)) {
    violations.push([file, 1, `has ${file.lines.length} lines, more than ${linesMax}`]);
  }
  file.lines.forEach((line, i) => {
    const columns = [...line].length;
    if (columns <= LINE_COLUMNS_MAX || /https?:\/\//.test(line)) return;
    violations.push([file, i + 1, `has ${columns} columns, more than ${LINE_COLUMNS_MAX}`]);
  });
  for (const { pattern, instead } of BANNED_WORDS) {
    for (const text of [file.source.code, file.source.comments]) {
      for (const match of text.matchAll(pattern)) {
        const line = lineAt(text, match.index);
        violations.push([file, line, `says "${match[0]}"; say ${instead}`]);
      }
    }
  }
  return violations;
}

/** Private files and, for the product's own files, the ladder. */
function checkImports(file: File): Violation[] {
  const violations: Violation[] = [];
  for (const { specifier, typeOnly, line } of file.imports) {
    if (!specifier.startsWith(".")) continue;
    const target = posix.join(posix.dirname(file.path), specifier);
    const isPrivate = posix.basename(target).startsWith("_");
    if (isPrivate && posix.dirname(target) !== posix.dirname(file.path)) {
      violations.push([file, line, `imports ${target}, which is private to its folder`]);
    }
    if (file.inSrc === undefined || file.isTest) continue;
    const message = checkLadder(file.inSrc, target, typeOnly);
    if (message !== undefined) violations.push([file, line, message]);
  }
  return violations;
}

/** Rules for what ships: modules of Node, time, chance, mutable state. */
function checkProduct(file: File): Violation[] {
  const { code } = file.source;
  const violations: Violation[] = [];
  const folder = folderOf(file.inSrc ?? "");
  if (!isOnLadder(file.inSrc ?? "")) violations.push([file, 1, `${folder} is not on the ladder`]);
  for (const { specifier, line } of file.imports) {
    const isNode = specifier.startsWith("node:");
    if (isNode && PURE_FOLDERS.includes(folder) && !excepted("pure", file)) {
      violations.push([file, line, `${folder} may not import ${specifier}`]);
    }
    for (const { rule, modules, folders } of NODE_MODULE_RULES) {
      const isAllowed = (folders as readonly string[]).includes(folder);
      if (!modules.test(specifier) || isAllowed || excepted(rule, file)) continue;
      violations.push([file, line, `only ${folders.join(", ")} may import ${specifier}`]);
    }
  }
  for (const { rule, home, patterns } of HIDDEN_INPUTS) {
    if (file.inSrc === home) continue;
    for (const match of patterns.flatMap((pattern) => [...code.matchAll(pattern)])) {
      if (excepted(rule, file)) continue;
      violations.push([
        file,
        lineAt(code, match.index),
        `reads ${rule} (${match[0]}): only ${home} may`,
      ]);
    }
  }
  for (const match of code.matchAll(/^(?:export )?(?:let|var)\b/gm)) {
    violations.push([file, lineAt(code, match.index), "holds mutable state at module level"]);
  }
  return violations;
}

/** Lengths of functions and of parameter lists; callbacks of tests may be long. */
function checkFunctions(file: File): Violation[] {
  const violations: Violation[] = [];
  for (const { name, line, lineCount } of file.functions) {
    if (lineCount <= FUNCTION_LINES_MAX || (file.isTest && name === "callback")) continue;
    if (excepted("function", file, name)) continue;
    violations.push([
      file,
      line,
      `${name} has ${lineCount} lines, more than ${FUNCTION_LINES_MAX}`,
    ]);
  }
  for (const { name, line, count } of file.parameterLists) {
    if (count <= PARAMETER_COUNT_MAX || excepted("parameters", file, name)) continue;
    const message = `${name} has ${count} parameters, more than ${PARAMETER_COUNT_MAX}`;
    violations.push([file, line, `${message}: take an options object`]);
  }
  return violations;
}

/** Every exported function, class and interface of src says what it is, directly above. */
function checkDocComments(file: File): Violation[] {
  if (file.inSrc === undefined || file.isTest) return [];
  const { code } = file.source;
  const declaration =
    /^export (?:(?:default|declare|abstract|async) )*(?:function\*?|class|interface) +([\w$]+)/gm;
  const violations: Violation[] = [];
  let previous = "";
  for (const match of code.matchAll(declaration)) {
    const name = match[1] ?? "";
    const line = lineAt(code, match.index);
    const isDocumented = file.lines[line - 2]?.trimEnd().endsWith("*/") ?? false;
    if (!isDocumented && name !== previous)
      violations.push([file, line, `${name} has no doc comment`]);
    previous = name;
  }
  return violations;
}

function excepted(rule: Rule, file: File, name?: string): boolean {
  const found = EXCEPTIONS.findIndex((exception) => {
    const isSame = exception.rule === rule && exception.path === file.path;
    return isSame && (exception.name === undefined || exception.name === name);
  });
  if (found !== -1) usedExceptions.add(found);
  return found !== -1;
}

function checkExceptions(): Violation[] {
  return EXCEPTIONS.flatMap(({ path, rule, reason }, i): Violation[] => {
    if (usedExceptions.has(i) || !existsSync(join(ROOT, path))) return [];
    const message = `${rule} exception of ${path} (${reason}) is not needed: remove it`;
    return [["scripts/tidy.ts", 1, message]];
  });
}

/** Every path and every symbol that ARCHITECTURE.md sets in backticks exists. */
function checkArchitecture(files: readonly File[]): Violation[] {
  const path = join(ROOT, "ARCHITECTURE.md");
  if (!existsSync(path)) return [];
  const product = files.filter((file) => /^(?:src|test)\//.test(file.path));
  const words = new Set(product.flatMap((file) => file.source.text.match(/[\w$]+/g) ?? []));
  const lines = readFileSync(path, "utf8")
    .replace(/^```[\s\S]*?^```/gm, blankLines)
    .split("\n");
  return lines.flatMap((line, i) => {
    const names = [...line.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");
    const missing = names.filter((name) => !nameExists(name, words));
    return missing.map((name): Violation => ["ARCHITECTURE.md", i + 1, `${name} does not exist`]);
  });
}

/** Every file of ours that a page names exists. */
function checkPages(): Violation[] {
  const names = readdirSync(ROOT).filter((name) => name.endsWith(".md"));
  const folders = ["docs", "bench", "deploy"].flatMap((folder) => {
    const below = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
    return below.filter((name) => name.endsWith(".md")).map((name) => posix.join(folder, name));
  });
  const named = /(?<![\w./-])(?:src|test|bench|scripts|docs|deploy|bin)\/[\w./-]*\w\.[a-z]{2,4}\b/g;
  return [...names, ...folders].flatMap((page) => {
    const text = readFileSync(join(ROOT, page), "utf8");
    const missing = [...text.matchAll(named)].filter(([path]) => !existsSync(join(ROOT, path)));
    return missing.map((match): Violation => {
      return [page, lineAt(text, match.index), `${match[0]} does not exist`];
    });
  });
}

function blankLines(text: string): string {
  return text.replace(/[^\n]/g, "");
}

function nameExists(name: string, words: ReadonlySet<string>): boolean {
  if (looksLikePath(name)) {
    if ([name, `src/${name}`].some((path) => existsSync(join(ROOT, path)))) return true;
    return !name.includes("/") && ["src", "test"].some((top) => containsFile(top, name));
  }
  if (!/^[A-Za-z_$][\w$]*(?:\.[\w$]+)*(?:\([^)]*\))?$/.test(name)) return true;
  const symbols = name.replace(/\(.*$/, "").split(".");
  const isSymbol =
    name.endsWith(")") || symbols.some((symbol) => /[a-z][A-Z]|^[A-Z].*[a-z]|[A-Z]_/.test(symbol));
  return !isSymbol || symbols.every((symbol) => words.has(symbol));
}

function looksLikePath(name: string): boolean {
  if (!/^[\w.@/-]+$/.test(name)) return false;
  return (
    /\.(?:tsx?|mjs|md|json|html|css|sql)$/.test(name) ||
    /^(?:src|test|bench|scripts|docs|bin)\//.test(name)
  );
}

function containsFile(top: string, name: string): boolean {
  return listFiles(top).some((path) => posix.basename(path) === name);
}

function printShape(files: readonly File[]): void {
  const folders = Map.groupBy(files, ({ path }) =>
    path
      .split("/")
      .slice(0, path.startsWith("src/") ? 2 : 1)
      .join("/"),
  );
  console.log("folder                files  lines  median   p90  longest function");
  for (const [folder, members] of [...folders].sort()) {
    const lengths = members.map(({ lines }) => lines.length).sort((a, b) => a - b);
    const sum = lengths.reduce((total, length) => total + length, 0);
    const numbers = [members.length, sum, quantile(lengths, 0.5), quantile(lengths, 0.9)];
    const columns = numbers
      .map((number, i) => String(number).padStart([5, 7, 8, 6][i] ?? 0))
      .join("");
    console.log(`${folder.padEnd(22)}${columns}  ${longestFunction(members)}`);
  }
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

function longestFunction(files: readonly File[]): string {
  const product = files.filter(({ isTest }) => !isTest);
  const all = (product.length > 0 ? product : files).flatMap(({ functions }) => functions);
  const longest = all.toSorted((a, b) => b.lineCount - a.lineCount)[0];
  return longest === undefined ? "none" : `${longest.name} (${longest.lineCount})`;
}
