import { randomUUID } from "node:crypto";
import { checksumOfBlock, linearChecksum } from "../support/blocks.ts";
import { type Caller, jsonOf } from "./_caller.ts";
import type { Answer } from "./_connection.ts";
import { Mismatch, Skipped } from "./_expect.ts";

const BLOCK_SIZE_BYTES = 524_288;

/** Contents of blocks. A, B and C are those of a run against AWS whose aggregate is known. */
export const [A, B, C] = ["a", "b", "c"].map((letter) =>
  Buffer.alloc(BLOCK_SIZE_BYTES, `stackd-ebs-synthetic-${letter}\n`),
) as [Buffer, Buffer, Buffer];
export const ZERO = Buffer.alloc(BLOCK_SIZE_BYTES);
/** LINEAR over B, A, ZERO, C as AWS accepted it (fact sheet, 3.4). */
export const GOLDEN_LINEAR = "Pq34jf4xh07iqiQpo/morRl/xL06mqy1ERimH+Hypi8=";
/** Blocks written to the snapshot that has more than one page of 100. */
export const PAGED_COUNT = 103;
/** Well-formed, and made by nobody. */
export const UNKNOWN = "snap-0fffffffffffffffe";

/** Answers to the requests that made the shared snapshots, for the checks of framing. */
export type Sample =
  | "StartSnapshot"
  | "PutSnapshotBlock"
  | "CompleteSnapshot"
  | "CompleteSnapshot again"
  | "GetSnapshotBlock"
  | "ListSnapshotBlocks"
  | "ListChangedBlocks";

/** The snapshots and samples that checks share. */
export interface Context {
  readonly caller: Caller;
  /** In descriptions, tags and client tokens: this run and no other. */
  readonly run: string;
  /** The id of a shared snapshot; a Mismatch where it could not be made. */
  id(name: SnapshotName): string;
  sample(name: Sample): Answer;
  /** Milliseconds from completion with a wrong count to the state `error`. */
  readonly errorDelayMs: number;
  /** A client token of this run. */
  token(): string;
  /** A caller of another account; skips the check where there is none. */
  second(): Caller;
  /** A caller of the same account under this policy; skips the check where none can be made. */
  restricted(policy: object): Promise<Caller>;
}

export type SnapshotName = (typeof SNAPSHOT_NAMES)[number];
const SNAPSHOT_NAMES = [
  "root",
  "pending",
  "child",
  "sibling",
  "grandchild",
  "grown",
  "other",
  "empty",
  "emptyChild",
  "failed",
  "badSum",
  "paged",
  "pagedChild",
  "deletedParent",
  "orphan",
] as const;

interface Plan {
  readonly blocks: readonly (readonly [blockIndex: number, bytes: Buffer])[];
  readonly input?: object;
  readonly count?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly wanted?: string;
}

/** Callers besides the one that makes the shared snapshots. */
export interface OtherCallers {
  readonly second?: Caller | undefined;
  readonly restricted?: ((policy: object) => Promise<Caller>) | undefined;
}

/** Makes the shared snapshots. One that cannot be made fails the checks that need it, no more. */
export async function prepare(caller: Caller, others: OtherCallers = {}): Promise<Context> {
  const fixtures = new Fixtures(caller, others);
  await fixtures.make();
  return fixtures;
}

class Fixtures implements Context {
  readonly caller: Caller;
  readonly run = randomUUID().slice(0, 8);
  errorDelayMs = 0;
  readonly #ids = new Map<SnapshotName, string>();
  readonly #failures = new Map<string, string>();
  readonly #samples = new Map<Sample, Answer>();

  readonly #others: OtherCallers;

  constructor(caller: Caller, others: OtherCallers) {
    this.caller = caller;
    this.#others = others;
  }

  second(): Caller {
    if (this.#others.second) return this.#others.second;
    throw new Skipped("needs a second account");
  }

  async restricted(policy: object): Promise<Caller> {
    if (this.#others.restricted) return this.#others.restricted(policy);
    throw new Skipped("needs access keys with policies of their own");
  }

  id(name: SnapshotName): string {
    const id = this.#ids.get(name);
    if (id !== undefined) return id;
    throw new Mismatch(this.#failures.get(name) ?? "nothing", `the shared snapshot "${name}"`);
  }

  sample(name: Sample): Answer {
    const answer = this.#samples.get(name);
    if (answer === undefined) throw new Mismatch("no answer", `an answer of ${name}`);
    return answer;
  }

  token(): string {
    return `conformance-${this.run}-${randomUUID()}`;
  }

  async make(): Promise<void> {
    // What could not be made is missed by the checks that need it, each in its own words.
    await Promise.allSettled([
      this.#family(),
      this.#pending(),
      this.#attempt("other", { blocks: [[0, A]] }),
      this.#errors(),
      this.#pages(),
      this.#empties(),
      this.#orphan(),
    ]);
    await this.#reads();
  }

  /** root ← child ← grandchild, sibling and a grown one; root is AWS's own example. */
  async #family(): Promise<void> {
    const sum = { "x-amz-checksum": GOLDEN_LINEAR, "x-amz-checksum-algorithm": "SHA256" };
    const headers = { ...sum, "x-amz-checksum-aggregation-method": "LINEAR" };
    const blocks = [
      [0, A],
      [0, B],
      [1, A],
      [2, ZERO],
      [2047, C],
      [1, A],
    ] as const;
    const input = {
      Description: `conformance ${this.run} root`,
      Tags: [{ Key: "conformance", Value: this.run }],
    };
    await this.#attempt("root", { blocks, headers, count: 4, input });
    await this.#attempt("child", {
      blocks: [
        [0, ZERO],
        [1, A],
        [5, B],
      ],
      input: this.#from("root"),
    });
    await Promise.all([
      this.#attempt("sibling", { blocks: [[7, C]], input: this.#from("root") }),
      this.#attempt("grandchild", { blocks: [[9, B]], input: this.#from("child") }),
      this.#attempt("grown", {
        blocks: [[6143, B]],
        input: { ...this.#from("root"), VolumeSize: 3 },
      }),
    ]);
  }

  async #pending(): Promise<void> {
    const { caller } = this;
    this.#samples.set("StartSnapshot", await caller.start());
    const id = jsonOf(this.sample("StartSnapshot"))["SnapshotId"];
    if (typeof id !== "string") return;
    this.#ids.set("pending", id);
    this.#samples.set("PutSnapshotBlock", await caller.write(id, 0, A));
  }

  async #errors(): Promise<void> {
    await this.#attempt("failed", { blocks: [[0, A]], count: 5, wanted: "error" });
    const strings = [A, B].map(checksumOfBlock).join("");
    await this.#attempt("badSum", {
      blocks: [
        [0, A],
        [1, B],
      ],
      headers: {
        "x-amz-checksum": checksumOfBlock(Buffer.from(strings)),
        "x-amz-checksum-algorithm": "SHA256",
        "x-amz-checksum-aggregation-method": "LINEAR",
      },
      wanted: "error",
    });
  }

  async #pages(): Promise<void> {
    const blocks = Array.from({ length: PAGED_COUNT }, (_, blockIndex) => [blockIndex, A] as const);
    await this.#attempt("paged", { blocks });
    await this.#attempt("pagedChild", { blocks: [[102, B]], input: this.#from("paged") });
  }

  async #empties(): Promise<void> {
    await this.#attempt("empty", { blocks: [] });
    await this.#attempt("emptyChild", { blocks: [[0, A]], input: this.#from("empty") });
  }

  async #orphan(): Promise<void> {
    await this.#attempt("deletedParent", {
      blocks: [
        [0, A],
        [1, B],
      ],
    });
    await this.#attempt("orphan", { blocks: [[1, C]], input: this.#from("deletedParent") });
    const parent = this.#ids.get("deletedParent");
    if (parent !== undefined) await this.caller.query("DeleteSnapshot", { SnapshotId: parent });
  }

  /** One answer of each read, and completion of a snapshot of its own. */
  async #reads(): Promise<void> {
    const { caller } = this;
    const keep = async (name: Sample, answer: () => Promise<Answer>) =>
      this.#samples.set(name, await answer());
    await Promise.allSettled([
      keep("ListSnapshotBlocks", () => caller.list(this.id("root"))),
      keep("ListChangedBlocks", () => caller.changed(this.id("root"), this.id("child"))),
      this.#completions(),
    ]);
    await keep("GetSnapshotBlock", async () => {
      const listed = jsonOf(this.sample("ListSnapshotBlocks"))["Blocks"];
      const [block] = listed as { BlockIndex: number; BlockToken: string }[];
      return caller.get(this.id("root"), block?.BlockIndex ?? 0, block?.BlockToken ?? "none");
    }).catch(() => undefined);
  }

  async #completions(): Promise<void> {
    const { SnapshotId } = jsonOf(await this.caller.start());
    const id = String(SnapshotId);
    this.#samples.set("CompleteSnapshot", await this.caller.complete(id, 0));
    await this.caller.readable(id);
    this.#samples.set("CompleteSnapshot again", await this.caller.complete(id, 0));
  }

  #from(name: SnapshotName): { ParentSnapshotId: string } {
    return { ParentSnapshotId: this.#ids.get(name) ?? UNKNOWN };
  }

  async #attempt(name: SnapshotName, plan: Plan): Promise<void> {
    try {
      await this.#write(name, plan);
    } catch (error) {
      this.#failures.set(name, error instanceof Error ? error.message : String(error));
    }
  }

  async #write(name: SnapshotName, plan: Plan): Promise<void> {
    const { blocks, input = {}, headers = {}, wanted = "completed" } = plan;
    const started = await this.caller.start({ ClientToken: this.token(), ...input });
    const id = jsonOf(started)["SnapshotId"];
    if (typeof id !== "string") throw new Mismatch(started.text, "a SnapshotId");
    for (const [blockIndex, bytes] of blocks) {
      await this.caller.write(id, blockIndex, bytes);
    }
    await this.caller.complete(id, plan.count ?? new Map(blocks).size, headers);
    const completedMs = performance.now();
    const { status } = await this.caller.readable(id);
    if (name === "failed") this.errorDelayMs = performance.now() - completedMs;
    if (status !== wanted) throw new Mismatch(`status ${status}`, `status ${wanted}`);
    this.#ids.set(name, id);
  }
}

/** A new completed snapshot with `A` as its block 0; answers its id. */
export async function completedSnapshot(caller: Caller, input: object = {}): Promise<string> {
  const id = String(jsonOf(await caller.start(input))["SnapshotId"]);
  await caller.write(id, 0, A);
  await caller.complete(id, 1);
  const { status } = await caller.readable(id);
  if (status !== "completed") throw new Mismatch(`status ${status}`, "status completed");
  return id;
}

/** LINEAR of blocks written in that order to indexes 0, 1, 2 …. */
export function linearOf(...blocks: readonly Buffer[]): string {
  return linearChecksum(new Map(blocks.entries()));
}
