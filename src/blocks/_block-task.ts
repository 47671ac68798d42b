import { freeMemory } from "../base/free-memory.ts";
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

/** Bytes that a thread made: themselves, or how many lie in the place of what it was given. */
export interface Made {
  readonly made: Uint8Array | number;
}

/** What came of a task. */
export interface Done {
  readonly answer: unknown;
  /** Memory that is handed over with the answer rather than copied. */
  readonly moved: ArrayBuffer[];
}

/** Does a task in the thread that calls it. Tasks are whole: no state is left between two. */
export function runTask(task: Task): Done {
  if (task.kind === "digest") return { answer: digestOf(task.bytes), moved: [] };
  if (task.kind === "encrypt") {
    return hand(encryptBytes(task.sealing, task.payload), { place: task.payload });
  }
  if (task.kind === "decode") {
    const { payload, plainLength, sealing } = task;
    const bytes = sealing ? decryptBytes(sealing, payload.bytes) : payload.bytes;
    const plain = decodePayloadSync({ ...payload, bytes }, plainLength);
    return hand(plain, { place: payload.bytes, facts: { digest: digestOf(plain) } });
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
  return hand(bytes, { place: task.bytes, facts: { codec, digest } });
}

/**
 * Puts bytes that were made where those were that they were made of, which nobody needs any more.
 * Handed over, their own memory would be left to the main thread's collector: so only where that
 * place is not shared or has no room.
 */
function hand(
  made: Uint8Array,
  { place, facts = {} }: { readonly place: Uint8Array; readonly facts?: object },
): Done {
  const { buffer, byteOffset } = place;
  const hasRoom = byteOffset + made.length <= buffer.byteLength;
  if (!(buffer instanceof SharedArrayBuffer && hasRoom)) {
    return { answer: { ...facts, made } satisfies Made, moved: memoryOf(made) };
  }
  const { length } = made;
  new Uint8Array(buffer, byteOffset, length).set(made);
  // Of what zstd has packed, there is more room than it took. All of it is ours: what is handed to
  // a thread is larger than what Node makes in memory that others' bytes lie in.
  freeMemory(new Uint8Array(made.buffer));
  return { answer: { ...facts, made: length } satisfies Made, moved: [] };
}

function memoryOf({ buffer }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer ? [buffer] : [];
}
