import { nodeCrypto } from "../../src/client/call/node-crypto.ts";
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

/** As whom requests are signed, and for what. */
export interface Signing {
  readonly keyPair: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly region: string;
  readonly service: string;
}

const OWN: Signing = { keyPair: KEY_PAIR, region: REGION, service: "ebs" };

/** Signs requests for one server; the derived key is kept, as every good client does. */
export class RequestSigner {
  readonly #host: string;
  readonly #signing: Signing;
  #signingKey: { date: string; key: Uint8Array } | undefined;

  constructor(endpoint: string, signing: Signing = OWN) {
    this.#signing = signing;
    this.#host = new URL(endpoint).host;
  }

  /** The head of the signed request as it travels. The body is left to the caller. */
  head(request: WireRequest, bodyLength = request.body.length): string {
    const dateTime = formatSigningTime(Date.now());
    const headers = signRequest(request, {
      credentials: this.#signing.keyPair,
      host: this.#host,
      dateTime,
      region: this.#signing.region,
      service: this.#signing.service,
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
      const { keyPair, region, service } = this.#signing;
      const key = deriveSigningKey(keyPair.secretAccessKey, { date, region, service }, nodeCrypto);
      this.#signingKey = { date, key };
    }
    return this.#signingKey.key;
  }
}

function payloadHashOf({ method, body }: WireRequest): string {
  if (method === "PUT") return UNSIGNED_PAYLOAD;
  return body.length === 0 ? EMPTY_PAYLOAD_HASH : nodeCrypto.sha256Hex(body);
}
