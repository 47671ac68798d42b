/** A request as it travels. */
export interface WireRequest {
  readonly method: string;
  /** Path as sent, without the query. */
  readonly path: string;
  /** Query as sent, without the question mark; "" for none. */
  readonly query: string;
  /** Header values by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** A response as it travels. */
export interface WireResponse {
  readonly status: number;
  /** Names spelled as AWS spells them: some clients look them up exactly. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

/** A response as a client received it. */
export interface ReceivedResponse {
  readonly status: number;
  /** Header values by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

const NO_BODY = new Uint8Array(0);

/** Parts of a request to write; what is left out is empty. */
export interface RequestParts {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: Uint8Array;
}

/** Puts a request together; members without a value are left out. */
export function request(parts: RequestParts): WireRequest {
  const query = given(parts.query).map(([name, value]) => `${uriEncode(name)}=${uriEncode(value)}`);
  return {
    method: parts.method,
    path: parts.path,
    query: query.join("&"),
    headers: new Map(given(parts.headers).map(([name, value]) => [name.toLowerCase(), value])),
    body: parts.body ?? NO_BODY,
  };
}

/** Percent-encodes all but unreserved characters, as Signature Version 4 wants it. */
export function uriEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/**
 * Parses a query. A plus sign stays a plus sign, for the signature as for the reader: in these
 * queries it comes from base64, never from a space.
 */
export function parseQuery(query: string): URLSearchParams {
  return new URLSearchParams(query.replaceAll("+", "%2B"));
}

function given(
  members: Readonly<Record<string, string | number | undefined>> = {},
): [string, string][] {
  return Object.entries(members).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
}
