import { nodeCrypto } from "../../src/client/node-crypto.ts";
import type { WireRequest } from "../../src/wire/message.ts";
import {
  deriveSigningKey,
  EMPTY_PAYLOAD_HASH,
  formatSigningTime,
  signRequest,
  UNSIGNED_PAYLOAD,
} from "../../src/wire/signature.ts";

/** The key pair all servers of the bench are started with. It opens nothing else. */
export const KEY_PAIR = {
  accessKeyId: "AKIABENCHBENCHBENCH2",
  secretAccessKey: "a-secret-of-the-bench-that-opens-nothing",
};
export const REGION = "us-east-1";

/** Signs requests for one server; the derived key is kept, as every good client does. */
export class RequestSigner {
  readonly #host: string;
  #signingKey: { date: string; key: Uint8Array } | undefined;

  constructor(endpoint: string) {
    this.#host = new URL(endpoint).host;
  }

  /** The head of the signed request as it travels. The body is left to the caller. */
  head(request: WireRequest, bodyLength = request.body.length): string {
    const dateTime = formatSigningTime(Date.now());
    const headers = signRequest(request, {
      credentials: KEY_PAIR,
      host: this.#host,
      dateTime,
      region: REGION,
      service: "ebs",
      payloadHash: payloadHashOf(request),
      crypto: nodeCrypto,
      signingKey: this.#keyOf(dateTime.slice(0, 8)),
    });
    const target = request.query === "" ? request.path : `${request.path}?${request.query}`;
    let head = `${request.method} ${target} HTTP/1.1\r\n`;
    for (const [name, value] of headers) head += `${name}: ${value}\r\n`;
    if (request.method !== "GET") head += `content-length: ${bodyLength}\r\n`;
    return `${head}\r\n`;
  }

  #keyOf(date: string): Uint8Array {
    if (this.#signingKey?.date !== date) {
      const scope = { date, region: REGION, service: "ebs" };
      const key = deriveSigningKey(KEY_PAIR.secretAccessKey, scope, nodeCrypto);
      this.#signingKey = { date, key };
    }
    return this.#signingKey.key;
  }
}

function payloadHashOf({ method, body }: WireRequest): string {
  if (method === "PUT") return UNSIGNED_PAYLOAD;
  return body.length === 0 ? EMPTY_PAYLOAD_HASH : nodeCrypto.sha256Hex(body);
}
