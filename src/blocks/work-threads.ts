import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Digest } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import { type Made, runTask, type Task } from "./_block-task.ts";
import type { Answered, Asked } from "./_work-thread.ts";
import {
  type BlockWork,
  type DecodedPayload,
  type EncodedWhole,
  type HashedPayload,
  ownWork,
} from "./block-work.ts";
import { CODEC, type EncodedPayload } from "./codec.ts";
import type { Sealing } from "./sealed-bytes.ts";

/** Bytes below which handing work to a thread costs more than doing it (ours). */
const HANDED_BYTES_MIN = 64 * 1024;
/** The same of short payloads, whose number counts more than their size (ours). */
const HANDED_COUNT_MIN = 4;
/** So many are done before a thread is started for more: a small comparison needs none (ours). */
const UNAIDED_COUNT_MAX = 256;
/** Threads at most: beyond that the main thread could not keep them busy (ours). */
const THREADS_COUNT_MAX = 4;

/** A block work that can be ended. */
export interface ThreadedWork extends BlockWork {
  /** Ends the threads; work that is handed in later is done by the caller's own thread. */
  close(): Promise<void>;
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  isOnline: boolean;
  hasAnswered: boolean;
  readonly waiting: Map<number, Waiting>;
}

/**
 * Does the work on blocks on threads beside the main one, which are started when there is first
 * something for them. Bytes that lie in a `SharedArrayBuffer` are worked on where they are; others,
 * and short ones, by the caller's thread, as is everything where there is but one processor.
 */
export class WorkThreads implements ThreadedWork {
  readonly #count: number;
  readonly #makeWorker: () => Worker;
  readonly #threads: Thread[] = [];
  #number = 0;
  /** Short payloads that came while no thread was started. */
  #unaidedCount = 0;
  #isOver = false;

  /** By default one thread for each processor but one; `makeWorker` starts one. */
  constructor(
    count = Math.min(THREADS_COUNT_MAX, availableParallelism() - 1),
    makeWorker = startWorker,
  ) {
    this.#count = count;
    this.#makeWorker = makeWorker;
  }

  async digest(bytes: Uint8Array): Promise<Digest> {
    if (!this.#isHanded(bytes)) return ownWork.digest(bytes);
    return (await this.#ask({ kind: "digest", bytes })) as Digest;
  }

  async encode(plain: Uint8Array, isToBeSealed: boolean): Promise<HashedPayload> {
    if (!this.#isHanded(plain)) return ownWork.encode(plain, isToBeSealed);
    const encoded = await this.#ask({ kind: "encode", bytes: plain, isToBeSealed });
    const { made, ...facts } = encoded as Omit<HashedPayload, "bytes"> & Partial<Made>;
    return { ...facts, bytes: made === undefined ? plain : bytesOf({ made }, plain) };
  }

  async encrypt(sealing: Sealing, payload: Uint8Array): Promise<Uint8Array> {
    // What is not shared is copied on its way, which costs far less than encrypting it.
    const isHanded = payload.length >= HANDED_BYTES_MIN && this.#isOn;
    if (!isHanded) return ownWork.encrypt(sealing, payload);
    return bytesOf((await this.#ask({ kind: "encrypt", sealing, payload })) as Made, payload);
  }

  async decode(
    payload: EncodedPayload,
    plainLength: number,
    sealing?: Sealing,
  ): Promise<DecodedPayload> {
    const { codec, bytes } = payload;
    const isShort = plainLength < HANDED_BYTES_MIN;
    if (!sealing && codec === CODEC.raw && bytes.length === plainLength) {
      return { plain: bytes, digest: await this.digest(bytes) };
    }
    if (isShort || !this.#canHand(bytes)) return ownWork.decode(payload, plainLength, sealing);
    const task = { kind: "decode", payload, plainLength, sealing } as const;
    const { digest, ...made } = (await this.#ask(task)) as Pick<DecodedPayload, "digest"> & Made;
    return { plain: bytesOf(made, bytes), digest };
  }

  async decodeAll(
    encoded: readonly EncodedWhole[],
  ): Promise<readonly (DecodedPayload | undefined)[]> {
    const isHanded = encoded.length >= HANDED_COUNT_MIN && this.#isOn;
    // To wait for a thread's start would take longer than doing it.
    if (!isHanded || !this.#hasStarted(encoded.length)) return ownWork.decodeAll(encoded);
    const memory = new Set(encoded.map(({ payload }) => payload.bytes.buffer));
    const moved = [...memory].filter((buffer) => buffer instanceof ArrayBuffer);
    const decoded = await this.#ask({ kind: "decode-all", encoded }, moved);
    return decoded as readonly (DecodedPayload | undefined)[];
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #isHanded(bytes: Uint8Array): boolean {
    return bytes.length >= HANDED_BYTES_MIN && this.#canHand(bytes);
  }

  #canHand({ buffer }: Uint8Array): boolean {
    return this.#isOn && buffer instanceof SharedArrayBuffer;
  }

  get #isOn(): boolean {
    return !this.#isOver && this.#count > 0;
  }

  /** True when there is a thread that works already; if there is none, much work starts one. */
  #hasStarted(count: number): boolean {
    this.#unaidedCount += count;
    if (this.#threads.length === 0 && this.#unaidedCount > UNAIDED_COUNT_MAX) this.#start();
    return this.#threads.some(({ isOnline }) => isOnline);
  }

  #ask(task: Task, moved: readonly ArrayBuffer[] = []): Promise<unknown> {
    const thread = this.#leastBusy();
    // Where the system has no more threads to give, the main one does what they would have done.
    if (thread === undefined) return new Promise((resolve) => resolve(runTask(task).answer));
    const { worker, waiting } = thread;
    const number = this.#number++;
    return new Promise((resolve, reject) => {
      waiting.set(number, { resolve, reject });
      worker.postMessage({ number, task } satisfies Asked, moved);
    });
  }

  #leastBusy(): Thread | undefined {
    let least: Thread | undefined;
    for (const thread of this.#threads) {
      if (least === undefined || thread.waiting.size < least.waiting.size) least = thread;
    }
    const isEnough = this.#threads.length >= this.#count || least?.waiting.size === 0;
    return least !== undefined && isEnough ? least : (this.#start() ?? least);
  }

  /** Undefined where the system has no thread to give. */
  #start(): Thread | undefined {
    const worker = this.#newWorker();
    if (worker === undefined) return undefined;
    const thread: Thread = { worker, isOnline: false, hasAnswered: false, waiting: new Map() };
    this.#threads.push(thread);
    worker.unref();
    worker.on("online", () => {
      thread.isOnline = true;
    });
    worker.on("message", ({ number, answer, corrupt, failed }: Answered) => {
      const waiting = thread.waiting.get(number);
      thread.waiting.delete(number);
      thread.hasAnswered = true;
      if (corrupt !== undefined) waiting?.reject(new CorruptionError(corrupt));
      else if (failed !== undefined) waiting?.reject(new Error(failed));
      else waiting?.resolve(answer);
    });
    worker.on("error", (error) => this.#lose(thread, error as Error));
    worker.on("exit", () => this.#lose(thread, new Error("The thread has ended")));
    return thread;
  }

  #newWorker(): Worker | undefined {
    try {
      return this.#makeWorker();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ERR_WORKER_INIT_FAILED") throw error;
      return undefined;
    }
  }

  /** What it had under way fails; the next work goes to another. */
  #lose(thread: Thread, cause: Error): void {
    const place = this.#threads.indexOf(thread);
    if (place >= 0) this.#threads.splice(place, 1);
    // Where threads cannot be had at all, everything is done without.
    if (!thread.hasAnswered) this.#isOver = true;
    for (const { reject } of thread.waiting.values()) {
      reject(new Error("A thread that worked on a block failed", { cause }));
    }
    thread.waiting.clear();
  }
}

function startWorker(): Worker {
  // Compiled, the thread's program lies beside this one under the same ending.
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new Worker(new URL(`./_work-thread.${ending}`, import.meta.url));
}

function bytesOf({ made }: Made, place: Uint8Array): Uint8Array {
  return typeof made === "number" ? new Uint8Array(place.buffer, place.byteOffset, made) : made;
}
