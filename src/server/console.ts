import { gzipSync } from "node:zlib";
import type { WireResponse } from "../wire/message.ts";
import type { RequestHead } from "./http/raw-request.ts";

/*
 * The web console's files, served without a signature: they are the same for everybody and hold
 * nothing of the store. What the console then asks the APIs for is signed like any other request.
 */

/** The built files by their path below `/console`, `index.html` among them. */
export type ConsoleFiles = ReadonlyMap<string, Uint8Array>;

/** Answers a request for a file of the console; undefined for every other request. */
export type AnswerConsole = (head: RequestHead) => WireResponse | undefined;

/** Where the page is; a slash at the end is let pass. */
const PAGE_PATHS = ["/console", "/console/"];
/** Below it, files have a hash of their contents in their names. */
const ASSETS_PATH = "/console/assets/";
/** What the page's region is written in place of. */
const REGION_MARK = "%VARVE_REGION%";

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** Nothing inline, nothing from elsewhere, in no frame; a form is never sent anywhere. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const SECURITY_HEADERS = {
  "Content-Security-Policy": POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "Referrer-Policy": "no-referrer",
  "X-Frame-Options": "DENY",
};

/** A browser may keep the page, but asks whether it is still the one. */
const PAGE_CACHING = "no-cache";
/** A year, the longest that means anything: another content has another name. */
const ASSET_CACHING = "public, max-age=31536000, immutable";

/** Said at /console where the console has not been built. */
const NOT_BUILT = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Varve</title>
<h1>The web console is not built</h1>
<p>Run <code>npm run build</code> in the checkout, then start the service again.
<p>The APIs and the command <code>varve</code> do without it.
`;

interface StaticFile {
  readonly type: string;
  readonly caching: string;
  readonly plain: Uint8Array;
  /** Made when it is first asked for: a start does not wait for it. */
  readonly gzipped: () => Uint8Array;
}

/** Knows all files from the start; no path of a request ever reaches a file system. */
export function createConsole(files: ConsoleFiles | undefined, region: string): AnswerConsole {
  const known = new Map<string, StaticFile>();
  const page = new TextDecoder().decode(files?.get("index.html")) || NOT_BUILT;
  const bytes = new TextEncoder().encode(page.replace(REGION_MARK, () => escapeHtml(region)));
  const pageFile = staticFile("index.html", bytes, PAGE_CACHING);
  for (const path of PAGE_PATHS) known.set(path, pageFile);
  for (const [name, contents] of files ?? []) {
    const path = `/console/${name}`;
    if (!path.startsWith(ASSETS_PATH)) continue;
    known.set(path, staticFile(name, contents, ASSET_CACHING));
  }
  return ({ method, path, headers }) => {
    if (method !== "GET" && method !== "HEAD") return undefined;
    const file = known.get(path);
    if (file) return answerFile(file, headers.get("accept-encoding") ?? "");
    return path.startsWith(ASSETS_PATH) ? NOT_THERE : undefined;
  };
}

function staticFile(name: string, plain: Uint8Array, caching: string): StaticFile {
  const type = CONTENT_TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream";
  let made: Uint8Array | undefined;
  const gzipped = () => {
    made ??= gzipSync(plain);
    return made;
  };
  return { type, caching, plain, gzipped };
}

function answerFile(file: StaticFile, acceptEncoding: string): WireResponse {
  const { type, caching, plain, gzipped } = file;
  const isGzipped = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:\s*,|\s*$))/i.test(acceptEncoding);
  return {
    status: 200,
    headers: {
      ...SECURITY_HEADERS,
      "Content-Type": type,
      "Cache-Control": caching,
      Vary: "Accept-Encoding",
      ...(isGzipped ? { "Content-Encoding": "gzip" } : {}),
    },
    body: isGzipped ? gzipped() : plain,
  };
}

/** Of a console that was built anew since the page was loaded, or a guess. */
const NOT_THERE: WireResponse = {
  status: 404,
  headers: {
    ...SECURITY_HEADERS,
    "Content-Type": "text/plain; charset=utf-8",
    "Cache-Control": "no-store",
  },
  body: "There is no such file. Load the console again.\n",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
