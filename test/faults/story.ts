import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { RequestParts } from "../../src/wire/message.ts";
import {
  actionParts,
  completeParts,
  getParts,
  type Listing,
  listParts,
  putParts,
  send,
  startParts,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import type { RawResponse, Target } from "../support/raw-http.ts";

/*
 * A scripted history of one caller, one request at a time, that remembers what was acknowledged
 * and what was only sent. So it knows at every moment exactly what a store owes it, and what it
 * may hold besides: the effect of the one request that got no answer. It can go on from there,
 * with the same request, on a service started anew.
 */

/** Where a snapshot is: to be seen, in the recycle bin, or nowhere. */
export type Presence = "there" | "binned" | "gone";

/** What is known of one snapshot. */
export interface Told {
  readonly name: string;
  readonly parent: Told | undefined;
  id: string | undefined;
  /** Contents acknowledged at each block index. */
  readonly blocks: Map<number, number>;
  /** A put that was sent and not answered. */
  maybe: { readonly blockIndex: number; readonly contents: number } | undefined;
  completion: "none" | "sent" | "acknowledged";
  /** Where it may be. */
  presence: ReadonlySet<Presence>;
}

/**
 * When a completion is taken for one that never comes. How fast it is, is no matter here: several
 * servers at once share the processors with whatever else runs.
 */
const COMPLETION_MS_MAX = 10_000;
/** The same for a collection, which reads and moves megabytes. */
const COLLECTION_MS_MAX = 20_000;

/** The service answered, and not with success. */
export class NotDoneError extends Error {
  override readonly name = "NotDoneError";
  readonly status: number;

  constructor(what: string, { status, text }: RawResponse) {
    super(`${what}: ${status} ${text.slice(0, 300)}`);
    this.status = status;
  }
}

interface Step {
  readonly what: string;
  parts(): RequestParts;
  readonly service?: string;
  /** How long the same may be asked again. */
  readonly patienceMs?: number;
  /** Notes that the request is on its way. */
  sent(): void;
  /** Notes the success; false to ask the same again. */
  acknowledged(response: RawResponse): boolean;
  /** True for a refusal that says an earlier request, which got no answer, did the same. */
  isDoneBefore?(response: RawResponse): boolean;
}

/**
 * A history of some rounds; each makes, completes, inherits, encrypts, deletes, brings back, and
 * collects twice, since the second collection removes what the first has found.
 */
export class Story {
  readonly snapshots: Told[] = [];
  /** Ids of access keys and of encryption keys that were acknowledged. */
  readonly accessKeys: string[] = [];
  readonly encryptionKeys: string[] = [];
  /** Every successful answer, in order. */
  readonly answers: RawResponse[] = [];
  readonly #name: string;
  readonly #steps: Step[] = [];
  #next = 0;
  #isRepeated = false;
  #contents: number;

  constructor(name: string, rounds: number, firstContents = 1) {
    this.#name = name;
    this.#contents = firstContents;
    for (let round = 0; round < rounds; round++) this.#addRound(round);
  }

  /**
   * Has it begin with a collection: for a folder used before, in which that finds garbage, so that
   * all of the story comes after it. To be told before the first request.
   */
  collectFirst(): this {
    this.#steps.unshift(collection());
    return this;
  }

  /** How many requests there are, and how many of them were acknowledged. */
  get length(): number {
    return this.#steps.length;
  }

  get acknowledgedCount(): number {
    return this.#next;
  }

  get isOver(): boolean {
    return this.#next === this.#steps.length;
  }

  /** Sends one request after another to the end. Rejects at the first that does not succeed. */
  async run(target: Target, onStep: () => Promise<void> = async () => {}): Promise<void> {
    while (!this.isOver) {
      await this.#take(target, this.#steps[this.#next] as Step);
      await onStep();
    }
  }

  /**
   * Brings a new story to where one like it was when these were the answers it had had, and its
   * next request was on its way.
   */
  replay(answers: readonly RawResponse[]): void {
    for (const answer of answers) {
      const step = this.#steps[this.#next] as Step;
      step.sent();
      if (step.acknowledged(answer)) this.#next += 1;
    }
    this.#steps[this.#next]?.sent();
    this.#isRepeated = true;
  }

  async #take(target: Target, step: Step): Promise<void> {
    for (const begunMs = performance.now(); ; ) {
      step.sent();
      const wasRepeated = this.#isRepeated;
      this.#isRepeated = true;
      const signing = step.service === undefined ? {} : { service: step.service };
      const response = await send(target, step.parts(), signing);
      const isSuccess = response.status >= 200 && response.status < 300;
      if (!isSuccess && !(wasRepeated && step.isDoneBefore?.(response))) {
        throw new NotDoneError(step.what, response);
      }
      this.answers.push(response);
      if (step.acknowledged(response)) break;
      const isLate = performance.now() - begunMs > (step.patienceMs ?? COMPLETION_MS_MAX);
      if (isLate) throw new NotDoneError(`${step.what}, still`, response);
      await sleep(10);
    }
    this.#isRepeated = false;
    this.#next += 1;
  }

  #addRound(round: number): void {
    const told = (name: string, parent?: Told): Told => {
      const snapshot: Told = {
        name: `${this.#name}-${round}-${name}`,
        parent,
        id: undefined,
        blocks: new Map(),
        maybe: undefined,
        completion: "none",
        presence: new Set(["gone"]),
      };
      this.snapshots.push(snapshot);
      return snapshot;
    };
    const base = told("base");
    const child = told("child", base);
    const secret = told("secret");
    const doomed = told("doomed");
    const fresh = () => this.#contents++;
    this.#start(base);
    const known = fresh();
    this.#put(base, 3, known);
    // One in eight does not compress, and fills its 512 KiB.
    this.#put(base, 4, known * 8 + 7);
    this.#put(base, 511, 0);
    this.#put(base, 512, known);
    this.#complete(base);
    this.#start(child);
    this.#put(child, 3, fresh());
    this.#put(child, 1_700, fresh());
    this.#complete(child);
    this.#createAccessKey();
    this.#createEncryptionKey();
    this.#start(secret, () => ({ Encrypted: true, KmsKeyArn: this.encryptionKeys.at(-1) }));
    this.#put(secret, 9, known);
    this.#complete(secret);
    this.#move(base, "DeleteSnapshot", "binned");
    this.#start(doomed);
    this.#put(doomed, 5, fresh());
    this.#move(doomed, "DeleteSnapshot", "gone");
    this.#move(base, "RestoreSnapshotFromRecycleBin", "there");
    this.#move(child, "DeleteSnapshot", "binned");
    this.#steps.push(collection(), collection());
  }

  #start(snapshot: Told, more: () => object = () => ({})): void {
    this.#steps.push({
      what: `start ${snapshot.name}`,
      parts: () =>
        startParts({
          VolumeSize: 1,
          ClientToken: snapshot.name,
          ...(snapshot.parent ? { ParentSnapshotId: snapshot.parent.id } : {}),
          ...more(),
        }),
      sent: () => {},
      acknowledged({ text }) {
        snapshot.id = (JSON.parse(text) as { SnapshotId: string }).SnapshotId;
        snapshot.presence = new Set(["there"]);
        return true;
      },
    });
  }

  #put(snapshot: Told, blockIndex: number, contents: number): void {
    this.#steps.push({
      what: `put ${blockIndex} of ${snapshot.name}`,
      parts: () => putParts({ snapshotId: snapshot.id ?? "", blockIndex }, blockContents(contents)),
      sent() {
        snapshot.maybe = { blockIndex, contents };
      },
      acknowledged() {
        snapshot.maybe = undefined;
        snapshot.blocks.set(blockIndex, contents);
        return true;
      },
    });
  }

  /** Asks until the snapshot is no longer pending. */
  #complete(snapshot: Told): void {
    this.#steps.push({
      what: `complete ${snapshot.name}`,
      parts: () => completeParts(snapshot.id ?? "", snapshot.blocks.size),
      sent() {
        if (snapshot.completion === "none") snapshot.completion = "sent";
      },
      acknowledged({ text }) {
        snapshot.completion = "acknowledged";
        const { Status } = JSON.parse(text) as { Status: string };
        assert.notEqual(Status, "error", `${snapshot.name} completes`);
        return Status === "completed";
      },
    });
  }

  #move(snapshot: Told, action: string, to: Presence): void {
    this.#steps.push({
      what: `${action} ${snapshot.name}`,
      parts: () => actionParts(action, { SnapshotId: snapshot.id ?? "" }),
      service: "ec2",
      sent() {
        snapshot.presence = new Set([...snapshot.presence, to]);
      },
      acknowledged() {
        snapshot.presence = new Set([to]);
        return true;
      },
      isDoneBefore: ({ text }) => /NotFound|IncorrectState/.test(text),
    });
  }

  #createAccessKey(): void {
    const { accessKeys } = this;
    this.#steps.push({
      what: "create an access key",
      parts: () => ({
        method: "POST",
        path: "/varve/accounts/self/keys",
        headers: { "content-type": "application/json" },
        body: Buffer.from("{}"),
      }),
      sent: () => {},
      acknowledged({ text }) {
        accessKeys.push((JSON.parse(text) as { AccessKeyId: string }).AccessKeyId);
        return true;
      },
    });
  }

  #createEncryptionKey(): void {
    const { encryptionKeys } = this;
    this.#steps.push({
      what: "create an encryption key",
      service: "kms",
      parts: () => ({
        method: "POST",
        path: "/",
        headers: {
          "content-type": "application/x-amz-json-1.1",
          "x-amz-target": "TrentService.CreateKey",
        },
        body: Buffer.from("{}"),
      }),
      sent: () => {},
      acknowledged({ text }) {
        const { KeyMetadata } = JSON.parse(text) as { KeyMetadata: { Arn: string } };
        encryptionKeys.push(KeyMetadata.Arn);
        return true;
      },
    });
  }
}

/** Asks until the collection has ended; begun anew where nobody knows of it any more. */
function collection(): Step {
  let id: string | undefined;
  const headers = { "content-type": "application/json" };
  const body = Buffer.from(JSON.stringify({ GraceSeconds: 0 }));
  const path = "/varve/collections";
  return {
    what: "collect",
    parts: () =>
      id === undefined
        ? { method: "POST", path, headers, body }
        : { method: "GET", path: `${path}/${id}`, headers: {}, body: Buffer.alloc(0) },
    sent: () => {},
    patienceMs: COLLECTION_MS_MAX,
    acknowledged(response) {
      const { CollectionId, State } = JSON.parse(response.text) as {
        readonly CollectionId?: string;
        readonly State?: string;
      };
      id = State === "Running" ? CollectionId : undefined;
      if (State === "Failed") throw new NotDoneError("collect", response);
      return State === "Done";
    },
    // Collections are known to the process that ran them, and to no other.
    isDoneBefore: ({ status }) => status === 404,
  };
}

/** Reads a block of the snapshot completed last; it is right, or the answer is an error. */
export async function readBack(target: Target, { snapshots }: Story): Promise<void> {
  const told = snapshots.findLast(({ completion, presence }) => {
    return completion === "acknowledged" && presence.size === 1 && presence.has("there");
  });
  if (told?.id === undefined) return;
  const list = await send(target, listParts(told.id));
  if (list.status !== 200) return;
  const { Blocks } = JSON.parse(list.text) as Listing;
  for (const { BlockIndex, BlockToken } of Blocks.slice(0, 2)) {
    const response = await send(target, getParts(told.id, BlockIndex, BlockToken));
    if (response.status !== 200) continue;
    const contents = told.blocks.get(BlockIndex) ?? told.parent?.blocks.get(BlockIndex) ?? -1;
    const isRight = Buffer.compare(response.body, blockContents(contents)) === 0;
    assert.ok(isRight, `block ${BlockIndex} of ${told.name} is right`);
  }
}
