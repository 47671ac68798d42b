import { ServiceFault } from "./errors.ts";
import type { ReceivedResponse, WireResponse } from "./message.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/**
 * Entries whose text becomes bytes at once: so many that the calls do not count, and few enough
 * that no long text has to be put together, which takes twice the time of all else (ours).
 */
const ENTRIES_AT_ONCE = 250;

/** A JSON answer with that status; `json` is the body's text. */
export function jsonResponse(
  status: number,
  json: string,
  headers: Readonly<Record<string, string>> = {},
): WireResponse {
  return { status, headers: { "Content-Type": "application/json", ...headers }, body: json };
}

/**
 * A JSON answer that is mostly one list of up to 10,000 entries. It is made straight into bytes,
 * some entries at a time: a page takes memory and time of which everybody has to wait for the end.
 */
export function jsonListResponse<T>(list: {
  /** All of the body before and after the entries, brackets included. */
  readonly before: string;
  readonly after: string;
  readonly entries: readonly T[];
  /** One entry as JSON. */
  readonly textOf: (entry: T) => string;
}): WireResponse {
  const { before, after, entries, textOf } = list;
  const pieces: Uint8Array[] = [];
  let text = before;
  for (let i = 0; i < entries.length; i++) {
    text += (i === 0 ? "" : ",") + textOf(entries[i] as T);
    if ((i + 1) % ENTRIES_AT_ONCE > 0) continue;
    pieces.push(encoder.encode(text));
    text = "";
  }
  pieces.push(encoder.encode(text + after));
  return { status: 200, headers: { "Content-Type": "application/json" }, body: joined(pieces) };
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let size = 0;
  for (const piece of pieces) {
    bytes.set(piece, size);
    size += piece.length;
  }
  return bytes;
}

/** A time as the service writes it: epoch seconds in scientific form, as Java prints a double. */
export function formatEpochSeconds(timeMs: number): string {
  const [mantissa, exponent] = (timeMs / 1000).toExponential().split("e+") as [string, string];
  return `${mantissa.includes(".") ? mantissa : `${mantissa}.0`}E${exponent}`;
}

/** A value as JSON, `null` where there is none: the service names every member it models. */
export function jsonOrNull(value: unknown): string {
  return value === undefined ? "null" : JSON.stringify(value);
}

/** Parses a request body that must be a JSON object. */
export function parseJsonObject(body: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(body));
  } catch {
    throw serializationFault("The request body is not valid JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw serializationFault("The request body is not a JSON object");
  }
  return value as Record<string, unknown>;
}

/** The framework's answer to a body it cannot read into the operation's members. */
export function serializationFault(message: string): ServiceFault {
  return new ServiceFault({ status: 400, code: "SerializationException", message });
}

/** Parses the JSON object of a successful response. */
export function readJson(response: ReceivedResponse): Record<string, unknown> {
  return JSON.parse(decoder.decode(response.body)) as Record<string, unknown>;
}
