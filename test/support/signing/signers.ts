import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { SignatureV4 } from "@smithy/signature-v4";
import { systemClock } from "../../../src/base/clock.ts";
import { nodeCrypto } from "../../../src/client/call/node-crypto.ts";
import { request, uriEncode } from "../../../src/wire/message.ts";
import { EMPTY_PAYLOAD_HASH, formatSigningTime, signRequest } from "../../../src/wire/signature.ts";
import type { RawRequest, Target } from "../raw-http.ts";
import { type Plain, queryText } from "./random-requests.ts";

/* Three signers of independent origin: AWS's for JavaScript, AWS's for Python, and ours. */

/** Whether the payload's hash goes into `x-amz-content-sha256` or is only computed. */
export interface SigningManner {
  readonly declaresHash: boolean;
}

/** Signs one request as a client of that target. */
export type Sign = (target: Target, plain: Plain, manner: SigningManner) => Promise<RawRequest>;

/** Hashing for the signer for JavaScript: plain, or keyed for HMAC. */
class NodeSha256 {
  readonly #hash: ReturnType<typeof createHash> | ReturnType<typeof createHmac>;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    if (secret === undefined) this.#hash = createHash("sha256");
    else if (typeof secret === "string") this.#hash = createHmac("sha256", secret);
    else this.#hash = createHmac("sha256", Buffer.from(secret as Uint8Array));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(typeof data === "string" ? data : Buffer.from(data as Uint8Array));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error("The signer never reuses a hash");
  }
}

/** AWS's signer for JavaScript. */
export const signWithSmithy: Sign = async (target, plain, { declaresHash }) => {
  const { hostname, port, host } = new URL(target.endpoint);
  const signer = new SignatureV4({
    service: "ebs",
    region: target.region,
    credentials: target.firstKey.key as never,
    sha256: NodeSha256,
    applyChecksum: declaresHash,
  });
  const query = plain.query as Record<string, string | string[]>;
  const headers = { ...plain.headers, host };
  const whole = { ...plain, query, protocol: "http:", hostname, port: Number(port), headers };
  const signed = await signer.sign(whole);
  const length = ["content-length", `${plain.body.length}`] as const;
  return {
    method: plain.method,
    target: plain.path + queryText(plain.query, encodeURIComponent),
    headers: [...Object.entries(signed.headers), length],
    body: plain.body,
  };
};

/** Our own, which always declares the payload's hash. */
export const signWithOurs: Sign = async (target, plain) => {
  const { method, path, headers, body } = plain;
  const query = queryText(plain.query, uriEncode);
  const signed = signRequest(
    { ...request({ method, path, headers, body }), query: query.slice(1) },
    {
      credentials: target.firstKey.key,
      host: new URL(target.endpoint).host,
      dateTime: formatSigningTime((target.clock ?? systemClock).nowMs()),
      region: target.region,
      service: "ebs",
      payloadHash: hashOf(body),
      crypto: nodeCrypto,
    },
  );
  const length = ["content-length", `${body.length}`] as const;
  return { method, target: path + query, headers: [...signed, length], body };
};

/** AWS's signer for Python, botocore, in a process of its own; one line for each request. */
export class BotocoreSigner {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(python: string) {
    this.#child = spawn(python, [join(import.meta.dirname, "botocore_signer.py")]);
    this.#child.stderr.pipe(process.stderr);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Signs many at once: the process works while this one verifies. */
  async signAll(
    target: Target,
    plains: readonly Plain[],
    { declaresHash }: SigningManner,
  ): Promise<RawRequest[]> {
    const { key } = target.firstKey;
    const questions = plains.map((plain) => {
      const { method, headers, body } = plain;
      const url = target.endpoint + plain.path + queryText(plain.query, uriEncode);
      const payload = Buffer.from(body).toString("base64");
      const declared = declaresHash ? { "x-amz-content-sha256": hashOf(body) } : {};
      const request = { method, url, body: payload, headers: { ...headers, ...declared } };
      return `${JSON.stringify({ ...request, ...key, region: target.region })}\n`;
    });
    this.#child.stdin.write(questions.join(""));
    const signed: RawRequest[] = [];
    for (const plain of plains) {
      const line = await this.#lines.next();
      if (line.done) throw new Error("botocore_signer.py has ended; standard error says why");
      const headers = Object.entries(JSON.parse(line.value) as Record<string, string>);
      const { host } = new URL(target.endpoint);
      const length = ["content-length", `${plain.body.length}`] as const;
      const path = plain.path + queryText(plain.query, uriEncode);
      const { method, body } = plain;
      signed.push({ method, target: path, headers: [["host", host], ...headers, length], body });
    }
    return signed;
  }

  async close(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, "exit");
  }
}

function hashOf(body: Uint8Array): string {
  if (body.length === 0) return EMPTY_PAYLOAD_HASH;
  return createHash("sha256").update(body).digest("hex");
}
