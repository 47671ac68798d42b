import { setTimeout } from "node:timers/promises";
import type { RequestParts } from "../../src/wire/message.ts";
import {
  actionParts,
  changedParts,
  completeParts,
  getParts,
  listParts,
  putParts,
  startParts,
} from "../support/operations.ts";
import { encode, type RawRequest } from "../support/raw-http.ts";
import { type Answer, ask, Connection } from "./_connection.ts";
import { Mismatch } from "./_expect.ts";
import { type Manner, type Party, signed } from "./_sign.ts";

type Query = Readonly<Record<string, string | number | undefined>>;

/** What the elements of an EC2 answer say, by name; the last of each. */
export type Elements = Readonly<Record<string, string>>;

const PATIENCE_MS = 10_000;

/** Signs and sends; knows nothing of what is right. */
export class Caller {
  readonly party: Party;
  /** Where EC2 and STS actions go, which is the same place but at AWS. */
  readonly ec2: Party;
  /** How long completion, or reading after it, may take. */
  readonly patienceMs: number;

  constructor(party: Party, ec2: Party = party, patienceMs = PATIENCE_MS) {
    this.party = party;
    this.ec2 = ec2;
    this.patienceMs = patienceMs;
  }

  call(parts: RequestParts, manner?: Manner): Promise<Answer> {
    return this.raw(signed(this.party, parts, manner));
  }

  raw(request: RawRequest): Promise<Answer> {
    return ask(this.party.url, encode(request));
  }

  /** Sends several requests on one connection. */
  async together(requests: readonly RequestParts[]): Promise<Answer[]> {
    const connection = await Connection.open(this.party.url);
    try {
      const answers: Answer[] = [];
      for (const parts of requests) {
        answers.push(await connection.ask(encode(signed(this.party, parts))));
      }
      return answers;
    } finally {
      connection.close();
    }
  }

  query(action: string, parameters: Record<string, string> = {}, service = "ec2") {
    const version = service === "ec2" ? "2016-11-15" : "2011-06-15";
    const parts = actionParts(action, { Version: version, ...parameters });
    return ask(this.ec2.url, encode(signed(this.ec2, parts, { service })));
  }

  start(input: object = {}): Promise<Answer> {
    return this.call(startParts({ VolumeSize: 1, ...input }));
  }

  put(snapshotId: string, blockIndex: number | string, bytes: Uint8Array): Promise<Answer> {
    return this.call(putParts({ snapshotId, blockIndex }, bytes));
  }

  /** Puts a block to a snapshot just started, as often as it takes until it is there to put to. */
  async write(snapshotId: string, blockIndex: number, bytes: Uint8Array): Promise<Answer> {
    return this.until(
      () => this.put(snapshotId, blockIndex, bytes),
      ({ status }) => status !== 404,
    );
  }

  /** The same id, once a snapshot just started takes puts; leaves nothing behind there. */
  async writable(snapshotId: string): Promise<string> {
    await this.write(snapshotId, 0, new Uint8Array(0));
    return snapshotId;
  }

  complete(snapshotId: string, count: number | undefined, headers: Query = {}): Promise<Answer> {
    return this.call(completeParts(snapshotId, count, headers));
  }

  get(snapshotId: string, blockIndex: number | string, token?: string): Promise<Answer> {
    return this.call(getParts(snapshotId, blockIndex, token));
  }

  list(snapshotId: string, query: Query = {}): Promise<Answer> {
    return this.call(listParts(snapshotId, query));
  }

  changed(first: string | undefined, second: string, query: Query = {}): Promise<Answer> {
    return this.call(changedParts(first, second, query));
  }

  /** The elements of one snapshot as EC2 shows it. */
  async describe(snapshotId: string): Promise<Elements> {
    return elementsOf((await this.describeXml(snapshotId)).text);
  }

  async describeXml(snapshotId: string): Promise<Answer> {
    const answer = await this.query("DescribeSnapshots", { "SnapshotId.1": snapshotId });
    if (answer.status !== 200) throw new Mismatch(brief(answer), "DescribeSnapshots 200");
    return answer;
  }

  /** Asks EC2 until a snapshot is no longer pending. */
  async settled(snapshotId: string): Promise<Elements> {
    return this.until(
      () => this.describe(snapshotId),
      ({ status }) => status !== "pending",
    );
  }

  /** The same, and until a completed one can be read. */
  async readable(snapshotId: string): Promise<Elements> {
    const elements = await this.settled(snapshotId);
    if (elements["status"] === "completed") {
      await this.until(
        () => this.list(snapshotId),
        ({ status }) => status !== 404,
      );
    }
    return elements;
  }

  /** The first answer that is good, or the last that came in time. */
  async until<T>(call: () => Promise<T>, isGood: (answer: T) => boolean): Promise<T> {
    const start = performance.now();
    for (;;) {
      const answer = await call();
      if (isGood(answer) || performance.now() - start > this.patienceMs) return answer;
      await setTimeout(50);
    }
  }
}

/** The innermost elements of an XML text. */
export function elementsOf(xml: string): Elements {
  return Object.fromEntries(
    [...xml.matchAll(/<(\w+)>([^<]*)<\/\1>/g)].map(([, name, value]) => [name, value]),
  );
}

/** Status, type and body in one line. */
export function brief({ status, text, ...answer }: Answer): string {
  const type = answer.header("x-amzn-errortype");
  return [status, ...(type === undefined ? [] : [type]), text.slice(0, 400)].join(" ");
}

/** The body as a JSON object; a Mismatch unless it has this status and is one. */
export function jsonOf(answer: Answer, status?: number): Record<string, unknown> {
  if (status !== undefined && answer.status !== status) throw new Mismatch(brief(answer), status);
  try {
    const value: unknown = JSON.parse(answer.text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below, together with what came.
  }
  throw new Mismatch(brief(answer), "a JSON object");
}
