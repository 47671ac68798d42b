import { ServiceFault } from "./errors.ts";
import type { ReceivedResponse, WireResponse } from "./message.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/** A JSON answer with that status; `json` is the body's text. */
export function jsonResponse(
  status: number,
  json: string,
  headers: Readonly<Record<string, string>> = {},
): WireResponse {
  return { status, headers: { "Content-Type": "application/json", ...headers }, body: json };
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
