import { pick } from "../property.ts";
import type { RawRequest } from "../raw-http.ts";

/* Requests made by chance, to be signed by one signer and understood by another. */

/** A request as a signer takes it: nothing is escaped yet. */
export interface Plain {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string | readonly string[]>>;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

type Fraction = () => number;

const ALPHABET = [..."abcXYZ019-_.~!*'()+/=&%#?;:@,$ \"<>[]{}|^`\\äß☃😀"];
const VISIBLE = [..."abcXYZ019 ,;=/+   "];

/** Up to so many characters of an alphabet; any that a query may hold unless told otherwise. */
export function randomText(fraction: Fraction, lengthMax = 12, alphabet = ALPHABET): string {
  const length = pick(fraction, lengthMax);
  return Array.from({ length }, () => alphabet[pick(fraction, alphabet.length)]).join("");
}

/** Parameters nobody reads, one of them several times, beside one that is read. */
export function randomQuery(fraction: Fraction): Plain["query"] {
  const query: Record<string, string | string[]> = { maxResults: "100" };
  for (let i = pick(fraction, 5); i > 0; i--)
    query[`z${randomText(fraction)}`] = randomText(fraction);
  query["twice"] = [randomText(fraction), randomText(fraction)];
  return query;
}

/** Headers with spaces in and around their values. */
export function randomHeaders(fraction: Fraction): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let i = pick(fraction, 4); i > 0; i--) {
    headers[`x-amz-test-${i}`] = `v${randomText(fraction, 20, VISIBLE)}`;
  }
  if (fraction() < 0.5) headers["x-amz-user-agent"] = "aws-sdk-js/3.1138.0  ua/2.1 os/linux";
  if (fraction() < 0.3) headers["accept"] = ` */*  ${randomText(fraction, 12, VISIBLE)}`;
  return headers;
}

/** Parameters as a client writes them: in the order given, each value escaped in one way. */
export function queryText(query: Plain["query"], escaped: (text: string) => string): string {
  const pairs = Object.entries(query).flatMap(([name, values]) =>
    [values].flat().map((value) => `${escaped(name)}=${escaped(value)}`),
  );
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

/** A request in full, to be shown when a test fails. */
export function show({ method, target, headers }: RawRequest): string {
  return [`${method} ${target}`, ...headers.map(([name, value]) => `${name}: ${value}`)].join("\n");
}
