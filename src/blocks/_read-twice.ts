import { CorruptionError } from "../model/errors.ts";
import type { Placement, SegmentStore } from "../segments/segment-store.ts";

/**
 * Reads a range, and once more where the disk failed to: it may do so once. One that fails twice
 * has lost what lies there, so that throws a `CorruptionError`. Nothing is lost by it where the
 * disk finds it again later: what is damaged stays where it is, and a scrub takes that back.
 */
export async function readTwice(
  segments: Pick<SegmentStore, "read">,
  placement: Placement,
  buffer?: Uint8Array,
): Promise<Uint8Array> {
  const read = () => segments.read(placement, buffer);
  try {
    return await read().catch((error: unknown) => {
      if (!isDiskError(error)) throw error;
      return read();
    });
  } catch (cause) {
    if (!isDiskError(cause)) throw cause;
    const { segment, offset } = placement;
    const message = `The disk cannot read segment ${segment} at offset ${offset}: ${cause.message}`;
    throw new CorruptionError(message, { cause });
  }
}

/** True for what the disk was asked for twice already. */
export function wasReadTwice({ cause }: CorruptionError): boolean {
  return isDiskError(cause);
}

function isDiskError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && error.code === "EIO";
}
