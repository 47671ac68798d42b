import { pick } from "../property.ts";
import { encodeHead, type RawRequest } from "../raw-http.ts";

/* One byte of what a signature covers becomes another, and whether that changes anything. */

/**
 * The request as bytes, one of which is changed: of the request line but its version, of a header
 * that is signed, of the Authorization header, or of the body.
 */
export function flipIn(raw: RawRequest, fraction: () => number): Buffer {
  const head = encodeHead(raw);
  const text = head.toString("latin1");
  const lineEnd = text.indexOf(" HTTP/1.1\r\n");
  const spans: (readonly [start: number, end: number])[] = [[0, lineEnd]];
  for (const [name, value] of raw.headers) {
    if (name === "content-length") continue;
    const start = text.indexOf(`\r\n${name}: ${value}\r\n`) + 2;
    spans.push(
      [start, start + name.length],
      [start + name.length + 2, start + name.length + 2 + value.length],
    );
  }
  if (raw.body.length > 0) spans.push([head.length, head.length + raw.body.length]);
  const bytes = Buffer.concat([head, raw.body]);
  const filled = spans.filter(([start, end]) => end > start);
  const [start, end] = filled[pick(fraction, filled.length)] as readonly [number, number];
  const at = start + pick(fraction, end - start);
  bytes[at] = (bytes[at] as number) ^ (1 + pick(fraction, 255));
  return bytes;
}

/**
 * What a request of bytes means, written down without the service's own code: two that mean the
 * same may both be taken. Names of headers have no case, blanks around and runs of them within a
 * value do not count, and a query's escapes may be written in more than one way.
 */
export function meaningOf(bytes: Buffer): string {
  const end = bytes.indexOf("\r\n\r\n");
  const [line = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const [target = "", query = ""] = line.split("?");
  const headers = lines.map((header) => {
    const colon = header.indexOf(":");
    const name = header.slice(0, colon).toLowerCase();
    const value = header
      .slice(colon + 1)
      .replace(/[ \t]+/g, " ")
      .trim();
    return [name, name === "authorization" ? value.replace(/ ?, ?/g, ",") : value];
  });
  const parameters = query
    .split("&")
    .map((pair) => pair.split("=").map(decoded))
    .sort();
  const rest = bytes.subarray(end).toString("latin1");
  return JSON.stringify([target, parameters, headers.sort(), rest]);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
