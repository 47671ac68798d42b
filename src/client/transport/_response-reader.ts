import type { ReceivedResponse } from "../../wire/message.ts";
import { GrowingBody, PiecesBody } from "./_response-body.ts";
import { boundedSize } from "./transport.ts";

/** Bytes that are read at once while nobody knows yet where they belong. */
const SCRATCH_BYTES = 65_536;
/** Bytes of a response's head; what Node's own client takes is half of it (ours). */
const HEAD_BYTES_MAX = 32_768;

const END_OF_HEAD = "\r\n\r\n";
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: |$)/;
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;

/** A whole response, and whether the connection can carry another one. */
export interface WholeResponse {
  readonly response: ReceivedResponse;
  readonly staysOpen: boolean;
  /** Milliseconds that the service keeps the idle connection, where it says so. */
  readonly idleMs: number | undefined;
}

interface Head {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly staysOpen: boolean;
}

/** Reads the responses of one connection, one after another, each into a buffer of its own. */
export class ResponseReader {
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #sizeBytesMax = 0;
  /** Bytes of a head in the scratch that has not come to its end. */
  #headBytes = 0;
  #head: Head | undefined;
  /** A body of declared length: bytes go straight to where they are wanted. */
  #declared: Uint8Array | undefined;
  #filled = 0;
  #pieces: PiecesBody | undefined;
  #untilEnd: GrowingBody | undefined;

  /** Gets ready for the next response, whose body may have so many bytes. */
  begin(sizeBytesMax: number): void {
    this.#sizeBytesMax = sizeBytesMax;
    this.#headBytes = 0;
    this.#head = undefined;
    this.#declared = undefined;
    this.#filled = 0;
    this.#pieces = undefined;
    this.#untilEnd = undefined;
  }

  /** Where the next bytes are to be read to; never empty. */
  room(): Uint8Array {
    if (this.#declared && this.#filled < this.#declared.length) {
      return this.#declared.subarray(this.#filled);
    }
    return this.#head ? this.#scratch : this.#scratch.subarray(this.#headBytes);
  }

  /**
   * Takes so many bytes, which were read to `room()`; answers the response if that completes it.
   * Throws for what is no response, is too long, or is followed by what nobody asked for.
   */
  take(count: number): WholeResponse | undefined {
    if (this.#head === undefined) return this.#takeHead(count);
    return this.#takeBody(this.#head, this.#declared ?? this.#scratch.subarray(0, count), count);
  }

  /** The connection has ended: that is the end of some responses, and breaks off the others. */
  end(): WholeResponse {
    if (this.#head === undefined || this.#untilEnd === undefined) {
      throw Object.assign(new Error("The response was cut off"), { code: "ECONNRESET" });
    }
    return wholeOf({ ...this.#head, staysOpen: false }, this.#untilEnd.finish());
  }

  #takeHead(count: number): WholeResponse | undefined {
    // What was looked through before can hold no more than the beginning of the end.
    const from = Math.max(0, this.#headBytes - END_OF_HEAD.length + 1);
    this.#headBytes += count;
    const known = this.#scratch.subarray(0, this.#headBytes);
    const end = known.indexOf(END_OF_HEAD, from, "latin1");
    if (end < 0 && this.#headBytes < HEAD_BYTES_MAX) return undefined;
    if (end < 0 || end > HEAD_BYTES_MAX) throw malformed("its head does not end");
    const head = parseHead(known.toString("latin1", 0, end));
    const rest = known.subarray(end + END_OF_HEAD.length);
    if (head.status < 200) return this.#skipInterim(head, rest);
    this.#head = head;
    this.#openBody(head);
    if (this.#declared) {
      if (rest.length > this.#declared.length) throw malformed("more follows than it declares");
      this.#declared.set(rest);
    }
    return this.#takeBody(head, rest, rest.length);
  }

  /** A word before the response proper, such as 100; switching protocols was not asked for. */
  #skipInterim({ status }: Head, rest: Buffer): WholeResponse | undefined {
    if (status === 101) throw malformed("it changes the protocol");
    this.#scratch.set(rest);
    this.#headBytes = 0;
    return rest.length > 0 ? this.#takeHead(rest.length) : undefined;
  }

  #openBody({ status, headers }: Head): void {
    const encoding = headers.get("transfer-encoding");
    const length = headers.get("content-length");
    if (status === 204 || status === 304) {
      this.#declared = new Uint8Array(0);
    } else if (encoding !== undefined) {
      const isKnown = encoding.toLowerCase() === "chunked" && length === undefined;
      if (!isKnown) throw malformed("its transfer encoding is not understood");
      this.#pieces = new PiecesBody(this.#sizeBytesMax);
    } else if (length !== undefined) {
      if (!/^\d{1,15}$/.test(length)) throw malformed("its length is no number");
      // Not zeroed: the response is complete only when all of it has been written over.
      const sizeBytes = boundedSize(Number(length), this.#sizeBytesMax);
      const { buffer } = Buffer.allocUnsafeSlow(sizeBytes);
      this.#declared = new Uint8Array(buffer, 0, sizeBytes);
    } else {
      this.#untilEnd = new GrowingBody(this.#sizeBytesMax);
    }
  }

  #takeBody(head: Head, bytes: Uint8Array, count: number): WholeResponse | undefined {
    if (this.#declared) {
      this.#filled += count;
      return this.#filled < this.#declared.length ? undefined : wholeOf(head, this.#declared);
    }
    if (this.#pieces) {
      return this.#pieces.take(bytes) ? wholeOf(head, this.#pieces.finish()) : undefined;
    }
    this.#untilEnd?.add(bytes);
    return undefined;
  }
}

function wholeOf({ status, headers, staysOpen }: Head, body: Uint8Array): WholeResponse {
  const seconds = /(?:^|[ ,])timeout=(\d{1,6})(?:[ ,]|$)/i.exec(headers.get("keep-alive") ?? "");
  const idleMs = seconds ? Number(seconds[1]) * 1_000 : undefined;
  return { response: { status, headers, body }, staysOpen, idleMs };
}

function parseHead(text: string): Head {
  const [first = "", ...lines] = text.split("\r\n");
  const status = STATUS_LINE.exec(first);
  if (!status) throw malformed("it does not begin like HTTP");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = HEADER_LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) throw malformed("a header is none");
    const key = name.toLowerCase();
    const earlier = headers.get(key);
    headers.set(key, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  const connection = headers.get("connection")?.toLowerCase() ?? "";
  const staysOpen = status[1] === "1" ? connection !== "close" : connection === "keep-alive";
  return { status: Number(status[2]), headers, staysOpen };
}

/** What came is no response that anybody could understand. */
export function malformed(why: string): Error {
  const message = `What the service answered is no HTTP response: ${why}`;
  return Object.assign(new Error(message), { code: "EPROTO" });
}
