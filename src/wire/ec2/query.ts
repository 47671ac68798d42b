import { XMLBuilder, XMLParser } from "fast-xml-parser";
import { ServiceFault } from "../errors.ts";
import { type ReceivedResponse, request, type WireRequest, type WireResponse } from "../message.ts";

/*
 * The Query protocol that EC2 and STS speak: a form-encoded action with numbered parameters goes
 * in, XML comes out. Only what tools need next to the EBS direct APIs is here.
 */

/** Services of the Query protocol, by the name in the credential scope. */
export type QueryService = "ec2" | "sts";

const NAMESPACES: Readonly<Record<QueryService, string>> = {
  ec2: "http://ec2.amazonaws.com/doc/2016-11-15/",
  sts: "https://sts.amazonaws.com/doc/2011-06-15/",
};
const VERSIONS: Readonly<Record<QueryService, string>> = { ec2: "2016-11-15", sts: "2011-06-15" };

/** Numbered members a list may have, unless less is said; more is refused rather than read. */
const LIST_COUNT_MAX = 1_000;

/** Parts of a parameter's name that are looked at; the longest real one has five. */
const NAME_PARTS_COUNT_MAX = 8;

/**
 * The parameters of one action, each given once: of two values, one reader could take the first
 * and another the second, and a policy could be asked about what is not done.
 */
export class QueryParameters {
  readonly action: string;
  readonly #values = new Map<string, string>();
  /**
   * The numbers that follow each name. Found once for all names: a body has room for thousands of
   * lists, and looking through all of it for each would keep everybody else waiting.
   */
  readonly #numbers = new Map<string, Set<number>>();

  /** Throws for a name that is given twice, in EC2's words. */
  constructor(body: Uint8Array) {
    for (const [name, value] of new URLSearchParams(new TextDecoder().decode(body))) {
      if (this.#values.has(name)) {
        const message = `The parameter '${name.slice(0, 128)}' may only be specified once.`;
        throw queryFault(400, "InvalidParameterValue", message);
      }
      this.#values.set(name, value);
      this.#rememberNumbers(name);
    }
    this.action = this.#values.get("Action") ?? "";
  }

  #rememberNumbers(name: string): void {
    const parts = name.split(".", NAME_PARTS_COUNT_MAX);
    let before = parts[0] ?? "";
    for (const part of parts.slice(1)) {
      if (/^[1-9][0-9]{0,8}$/.test(part)) {
        const numbers = this.#numbers.get(before) ?? new Set();
        this.#numbers.set(before, numbers.add(Number(part)));
      }
      before = `${before}.${part}`;
    }
  }

  /** One parameter, or undefined. */
  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** The name of every parameter. */
  names(): Iterable<string> {
    return this.#values.keys();
  }

  /** The values `Name.1`, `Name.2` … in order of their numbers. */
  list(name: string): string[] {
    return this.items(name, (prefix) => this.get(prefix));
  }

  /**
   * The structures `Name.1.…`, `Name.2.…` in order of their numbers, whatever numbers are left out:
   * a filter passed over would widen what an action does. What `read` finds incomplete is refused,
   * and so are more than `countMax`.
   */
  items<T>(
    name: string,
    read: (prefix: string) => T | undefined,
    countMax: number = LIST_COUNT_MAX,
  ): T[] {
    return this.#numbersOf(name, countMax).map((number) => {
      const item = read(`${name}.${number}`);
      if (item !== undefined) return item;
      throw queryFault(400, "InvalidParameterValue", `${name}.${number} is not complete`);
    });
  }

  #numbersOf(name: string, countMax: number): number[] {
    const numbers = this.#numbers.get(name) ?? new Set<number>();
    if (numbers.size > countMax) {
      const message = `More than ${countMax} values of ${name}`;
      throw queryFault(400, "InvalidParameterValue", message);
    }
    return [...numbers].sort((a, b) => a - b);
  }

  /** An optional whole number within bounds. */
  integer(name: string, min: number, max: number): number | undefined {
    const text = this.get(name);
    if (text === undefined) return undefined;
    const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    const expected = `Expecting a whole number from ${min} to ${max}.`;
    const message = `Value ( ${text} ) for parameter ${name} is invalid. ${expected}`;
    throw queryFault(400, "InvalidParameterValue", message);
  }
}

/** An error of the Query protocol. */
export function queryFault(status: number, code: string, message: string): ServiceFault {
  return new ServiceFault({ status, code, message });
}

const builder = new XMLBuilder({ ignoreAttributes: false, attributeNamePrefix: "@" });
const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: false,
  // Else characters that are written as numbers stay so.
  htmlEntities: true,
  isArray: (name) => name === "item",
});

/** Writes an EC2 answer: the members, after the request id, in the action's response element. */
export function writeEc2Response(action: string, requestId: string, members: object): WireResponse {
  const contents = { "@xmlns": NAMESPACES.ec2, requestId, ...members };
  return xmlResponse(200, { [`${action}Response`]: contents });
}

/** Writes an STS answer: the members in the action's result element, then the request id. */
export function writeStsResponse(action: string, requestId: string, members: object): WireResponse {
  return xmlResponse(200, {
    [`${action}Response`]: {
      "@xmlns": NAMESPACES.sts,
      [`${action}Result`]: members,
      ResponseMetadata: { RequestId: requestId },
    },
  });
}

/** Writes an error as that service does. An unknown one tells nothing of itself. */
export function writeQueryErrorResponse(
  service: QueryService,
  requestId: string,
  error: unknown,
): WireResponse {
  const fault =
    error instanceof ServiceFault
      ? error
      : queryFault(500, "InternalError", "An internal error has occurred");
  const { code: Code, message: Message, status } = fault;
  if (service === "ec2") {
    const Errors = { Error: { Code, Message } };
    return xmlResponse(status, { Response: { Errors, RequestID: requestId } });
  }
  const Type = status >= 500 ? "Receiver" : "Sender";
  const contents = { "@xmlns": NAMESPACES.sts, Error: { Type, Code, Message } };
  return xmlResponse(status, { ErrorResponse: { ...contents, RequestId: requestId } });
}

function xmlResponse(status: number, document: object): WireResponse {
  return {
    status,
    headers: { "Content-Type": "text/xml;charset=UTF-8" },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n${legible(builder.build(document))}`,
  };
}

/**
 * XML has no way to write some characters; a description that holds one must not hide the rest. A
 * carriage return is written as its number: as itself, every reader takes it for a line's end.
 */
function legible(xml: string): string {
  return xml
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
    .replaceAll("\r", "&#xD;");
}

/** Writes a request of an action; members without a value are left out. */
export function writeQueryRequest(
  service: QueryService,
  action: string,
  members: Readonly<Record<string, string | number | undefined>>,
): WireRequest {
  const form = new URLSearchParams({ Action: action, Version: VERSIONS[service] });
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined) form.set(name, String(value));
  }
  return request({
    method: "POST",
    path: "/",
    headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
    body: new TextEncoder().encode(form.toString()),
  });
}

/** A value of a parsed XML answer: text, or elements by name; `item` is always a list. */
export type XmlElement = { readonly [name: string]: XmlElement } & XmlElement[] & string;

/** Parses the XML of a response. */
export function readXml(response: ReceivedResponse): XmlElement {
  return parser.parse(new TextDecoder().decode(response.body)) as XmlElement;
}

/** Reads an error response of EC2 or STS; answers undefined when it is none. */
export function readQueryErrorResponse(
  response: ReceivedResponse,
): { readonly code: string; readonly message: string } | undefined {
  const root = readXml(response);
  const error = root["Response"]?.["Errors"]?.["Error"] ?? root["ErrorResponse"]?.["Error"];
  return error && { code: error["Code"] ?? "Unknown", message: error["Message"] ?? "" };
}
