import { readFileSync } from "node:fs";
import type { HeaderLine } from "../raw-http.ts";

/* AWS's published test vectors, as the files of test/vectors have them; see the NOTICE there. */

/** What one signed form of a vector must come to. */
export interface Expected {
  readonly canonicalRequest: string;
  readonly stringToSign: string;
  readonly signature: string;
  /** The request as it travels, signed. */
  readonly signedRequest: string;
}

/** One case of aws-c-auth: a request, signed in its headers and in its query. */
export interface AwsCAuthVector {
  readonly name: string;
  readonly context: {
    readonly credentials: {
      readonly access_key_id: string;
      readonly secret_access_key: string;
      readonly token?: string;
    };
    /** True where the signer brings the path into its shortest form. */
    readonly normalize: boolean;
    readonly region: string;
    readonly service: string;
  };
  readonly header: Expected;
  readonly query: Expected;
}

/** One case of botocore. */
export interface BotocoreVector {
  readonly name: string;
  readonly canonicalRequest: string;
  readonly stringToSign: string;
  /** The value of the Authorization header. */
  readonly authorization: string;
  readonly signedRequest: string;
}

const FOLDER = new URL("../../vectors/", import.meta.url);

/** All 38 of aws-c-auth. */
export function awsCAuthVectors(): readonly AwsCAuthVector[] {
  const text = readFileSync(new URL("aws-c-auth.json", FOLDER), "utf8");
  return JSON.parse(text) as AwsCAuthVector[];
}

/** All 34 of botocore. */
export function botocoreVectors(): readonly BotocoreVector[] {
  return JSON.parse(readFileSync(new URL("botocore.json", FOLDER), "utf8")) as BotocoreVector[];
}

/** A request as text, taken apart; lines that go on are joined, as the vectors mean them. */
export interface VectorRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: readonly HeaderLine[];
  readonly body: string;
  /** True where no strict parser of HTTP would take it: folded lines, spaces, raw UTF-8. */
  readonly isOutsideHttp: boolean;
}

/** Takes a vector's request apart. */
export function parseVectorRequest(text: string): VectorRequest {
  const [head = "", ...rest] = text.replaceAll("\r\n", "\n").split("\n\n");
  const [line = "", ...lines] = head.replace(/\n[ \t]+/g, " ").split("\n");
  const target = line.slice(line.indexOf(" ") + 1, line.lastIndexOf(" "));
  const mark = target.indexOf("?");
  return {
    method: line.slice(0, line.indexOf(" ")),
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? "" : target.slice(mark + 1),
    headers: lines.filter(Boolean).map((header): HeaderLine => {
      const colon = header.indexOf(":");
      return [header.slice(0, colon), header.slice(colon + 1).trim()];
    }),
    body: rest.join("\n\n"),
    isOutsideHttp: /\n[ \t]/.test(head) || !/^[\x21-\x7E]+$/.test(target),
  };
}

/** Values by lower-case name, those of one name joined by commas, as HTTP reads them. */
export function headerMap(headers: readonly HeaderLine[]): Map<string, string> {
  const map = new Map<string, string>();
  for (const [name, value] of headers) {
    const earlier = map.get(name.toLowerCase());
    map.set(name.toLowerCase(), earlier === undefined ? value : `${earlier},${value}`);
  }
  return map;
}

/**
 * The path as a signer brings it into one form. The service takes none that would need it, so this
 * is only here: RFC 3986 without dot segments, and everything else escaped.
 */
export function canonicalPath(path: string, normalize: boolean): string {
  const escaped = encodeURI(path).replace(/[!'()*;:@&=+$,#[\]]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  });
  if (!normalize) return escaped;
  const kept: string[] = [];
  for (const segment of escaped.split("/")) {
    if (segment === "..") kept.pop();
    else if (segment !== "." && segment !== "") kept.push(segment);
  }
  const end = /\/(\.{1,2})?$/.test(escaped) && kept.length > 0 ? "/" : "";
  return `/${kept.join("/")}${end}`;
}
