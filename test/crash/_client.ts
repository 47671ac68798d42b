import { createHash } from "node:crypto";
import { Agent, request as send } from "node:http";
import { nodeCrypto } from "../../src/client/call/node-crypto.ts";
import { type RequestParts, request } from "../../src/wire/message.ts";
import { formatSigningTime, signRequest } from "../../src/wire/signature.ts";
import type { Greeting } from "./process.ts";

/** The service answered, but not with success. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** A page of ListSnapshotBlocks. */
export interface BlocksPage {
  readonly Blocks: readonly { readonly BlockIndex: number; readonly BlockToken: string }[];
  readonly NextToken: string | null;
}

/**
 * The few calls the crash tests make, as bare signed requests: nothing is repeated, nothing is
 * cached, and little time is spent here that the server could spend working.
 */
export class BareClient {
  readonly #greeting: Greeting;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(greeting: Greeting) {
    this.#greeting = greeting;
  }

  async start(clientToken: string, parent: string | undefined): Promise<string> {
    const input = { VolumeSize: 1, ClientToken: clientToken, ParentSnapshotId: parent };
    const answer = await this.#json({ method: "POST", path: "/snapshots", body: json(input) });
    return (answer as { SnapshotId: string }).SnapshotId;
  }

  async put(snapshotId: string, blockIndex: number, bytes: Uint8Array): Promise<void> {
    await this.#exchange({
      method: "PUT",
      path: `/snapshots/${snapshotId}/blocks/${blockIndex}`,
      headers: {
        "x-amz-data-length": bytes.length,
        "x-amz-checksum": createHash("sha256").update(bytes).digest("base64"),
        "x-amz-checksum-algorithm": "SHA256",
      },
      body: bytes,
    });
  }

  /** Answers the status; the checksum may be left out. */
  async complete(snapshotId: string, count: number, checksum: string | undefined): Promise<string> {
    const given = checksum && {
      "x-amz-checksum": checksum,
      "x-amz-checksum-algorithm": "SHA256",
      "x-amz-checksum-aggregation-method": "LINEAR",
    };
    const path = `/snapshots/completion/${snapshotId}`;
    const headers = { "x-amz-changedblockscount": count, ...given };
    return ((await this.#json({ method: "POST", path, headers })) as { Status: string }).Status;
  }

  async list(snapshotId: string, pageToken: string | undefined): Promise<BlocksPage> {
    const query = { maxResults: 100, pageToken };
    const path = `/snapshots/${snapshotId}/blocks`;
    return (await this.#json({ method: "GET", path, query })) as BlocksPage;
  }

  get(snapshotId: string, blockIndex: number, blockToken: string): Promise<Buffer> {
    const path = `/snapshots/${snapshotId}/blocks/${blockIndex}`;
    return this.#exchange({ method: "GET", path, query: { blockToken } });
  }

  destroy(): void {
    this.#agent.destroy();
  }

  async #json(parts: RequestParts): Promise<unknown> {
    return JSON.parse((await this.#exchange(parts)).toString());
  }

  #exchange(parts: RequestParts): Promise<Buffer> {
    const { endpoint, region, firstKey } = this.#greeting;
    const { host, hostname, port } = new URL(endpoint);
    const outgoing = request(parts);
    const headers = signRequest(outgoing, {
      credentials: firstKey.key,
      host,
      dateTime: formatSigningTime(Date.now()),
      region,
      service: "ebs",
      payloadHash: nodeCrypto.sha256Hex(outgoing.body),
      crypto: nodeCrypto,
    });
    const { method, path, query, body } = outgoing;
    const target = query === "" ? path : `${path}?${query}`;
    const options = { agent: this.#agent, hostname, port, method, path: target };
    return new Promise((resolve, reject) => {
      const sent = send({ ...options, headers: Object.fromEntries(headers) }, (incoming) => {
        const pieces: Buffer[] = [];
        incoming.on("error", reject).on("data", (piece: Buffer) => pieces.push(piece));
        incoming.on("end", () => {
          const answer = Buffer.concat(pieces);
          const status = incoming.statusCode ?? 0;
          if (status >= 200 && status < 300) return resolve(answer);
          reject(new RefusedError(`${method} ${path}: ${status} ${answer.subarray(0, 500)}`));
        });
      });
      sent.on("error", reject);
      sent.setHeader("content-length", body.length);
      sent.end(body);
    });
  }
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
