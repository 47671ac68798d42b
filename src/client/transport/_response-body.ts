import { boundedSize } from "./transport.ts";

/** Characters of the line before a piece of a body: its length and what may follow that. */
const LINE_CHARACTERS_MAX = 1_024;

/** A body that tells its length only by its end. */
export class GrowingBody {
  readonly #sizeBytesMax: number;
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  constructor(sizeBytesMax: number) {
    this.#sizeBytesMax = sizeBytesMax;
  }

  /** Takes a copy of the bytes. Throws where there are too many by now. */
  add(bytes: Uint8Array): void {
    this.#length = boundedSize(this.#length + bytes.length, this.#sizeBytesMax);
    this.#parts.push(new Uint8Array(bytes));
  }

  /** All of it. */
  finish(): Uint8Array {
    const { buffer, byteOffset, length } = Buffer.concat(this.#parts, this.#length);
    return new Uint8Array(buffer, byteOffset, length);
  }
}

/** A body that comes in pieces, each behind a line with its length (RFC 9112, section 7.1). */
export class PiecesBody {
  readonly #body: GrowingBody;
  #line = "";
  #state: "length" | "bytes" | "end of bytes" | "trailer" | "over" = "length";
  #left = 0;

  constructor(sizeBytesMax: number) {
    this.#body = new GrowingBody(sizeBytesMax);
  }

  /** Takes bytes as they came; true when the body is whole. Throws for what is no such body. */
  take(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length; ) {
      if (this.#state === "over") throw noBody("more follows than its end");
      if (this.#state === "bytes") {
        const part = bytes.subarray(at, at + this.#left);
        this.#body.add(part);
        this.#left -= part.length;
        at += part.length;
        if (this.#left === 0) this.#state = "end of bytes";
      } else {
        this.#takeOfLine(bytes[at] as number);
        at += 1;
      }
    }
    return this.#state === "over";
  }

  /** All of it, once it is whole. */
  finish(): Uint8Array {
    return this.#body.finish();
  }

  #takeOfLine(code: number): void {
    this.#line += String.fromCharCode(code);
    if (this.#line.length > LINE_CHARACTERS_MAX) throw noBody("a line does not end");
    if (!this.#line.endsWith("\r\n")) return;
    const line = this.#line.slice(0, -2);
    this.#line = "";
    if (this.#state === "length") this.#takeLength(line);
    else if (this.#state === "trailer") this.#state = line === "" ? "over" : "trailer";
    else if (line === "") this.#state = "length";
    else throw noBody("a piece is longer than it says");
  }

  #takeLength(line: string): void {
    const length = /^([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?$/.exec(line)?.[1];
    if (length === undefined) throw noBody("a piece does not tell its length");
    this.#left = Number.parseInt(length, 16);
    this.#state = this.#left === 0 ? "trailer" : "bytes";
  }
}

function noBody(why: string): Error {
  const message = `The body of the service's response cannot be understood: ${why}`;
  return Object.assign(new Error(message), { code: "EPROTO" });
}
