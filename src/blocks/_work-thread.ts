// What a thread of `WorkThreads` runs. Its tasks are whole: no state is left between two of them.

import { parentPort } from "node:worker_threads";
import { CorruptionError } from "../model/errors.ts";
import { decodeWhole, type EncodedWhole } from "./block-work.ts";
import { decodePayloadSync, type EncodedPayload, encodePayloadSync } from "./codec.ts";
import { digestOf } from "./hash.ts";
import { decryptBytes, encryptBytes, type Sealing } from "./sealed-bytes.ts";

/** What a thread is asked to do; the bytes lie in memory that both threads see. */
export type Task =
  | { readonly kind: "digest"; readonly bytes: Uint8Array }
  | { readonly kind: "encode"; readonly bytes: Uint8Array; readonly isToBeSealed: boolean }
  | { readonly kind: "encrypt"; readonly sealing: Sealing; readonly payload: Uint8Array }
  | {
      readonly kind: "decode";
      readonly payload: EncodedPayload;
      readonly plainLength: number;
      readonly sealing: Sealing | undefined;
    }
  | { readonly kind: "decode-all"; readonly encoded: readonly EncodedWhole[] };

/** A task on its way to a thread. */
export interface Asked {
  readonly number: number;
  readonly task: Task;
}

/** What a thread answers, or what went wrong: `corrupt` is what a `CorruptionError` says. */
export interface Answered {
  readonly number: number;
  readonly answer?: unknown;
  readonly corrupt?: string;
  readonly failed?: string;
}

const port = parentPort;
port?.on("message", ({ number, task }: Asked) => {
  try {
    const { answer, moved } = run(task);
    port.postMessage({ number, answer } satisfies Answered, moved);
  } catch (error) {
    const { message } = error as Error;
    const told = error instanceof CorruptionError ? { corrupt: message } : { failed: message };
    port.postMessage({ number, ...told } satisfies Answered);
  }
});

interface Done {
  readonly answer: unknown;
  /** Memory that is handed over with the answer rather than copied. */
  readonly moved: ArrayBuffer[];
}

function run(task: Task): Done {
  if (task.kind === "digest") return { answer: digestOf(task.bytes), moved: [] };
  if (task.kind === "encrypt") {
    const sealed = encryptBytes(task.sealing, task.payload);
    return { answer: sealed, moved: memoryOf(sealed) };
  }
  if (task.kind === "decode") {
    const { payload, plainLength, sealing } = task;
    const bytes = sealing ? decryptBytes(sealing, payload.bytes) : payload.bytes;
    const plain = decodePayloadSync({ ...payload, bytes }, plainLength);
    return { answer: { plain, digest: digestOf(plain) }, moved: memoryOf(plain) };
  }
  if (task.kind === "decode-all") {
    const decoded = task.encoded.map(decodeWhole);
    return {
      answer: decoded,
      moved: decoded.flatMap((each) => (each ? memoryOf(each.plain) : [])),
    };
  }
  const { codec, bytes } = encodePayloadSync(task.bytes);
  // Raw, it is what the other side has already.
  if (bytes === task.bytes) return { answer: { codec }, moved: [] };
  const digest = task.isToBeSealed ? digestOf(bytes) : undefined;
  return { answer: { codec, digest, bytes }, moved: memoryOf(bytes) };
}

function memoryOf({ buffer }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer ? [buffer] : [];
}
