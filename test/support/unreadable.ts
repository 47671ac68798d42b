import type { TestContext } from "node:test";
import { FileSegments } from "../../src/segments/file-segments.ts";
import type { Placement } from "../../src/segments/segment-store.ts";

/** Has every read that touches one of these ranges fail, as bad sectors do, until undone. */
export function unreadable(
  t: TestContext,
  ranges: readonly Placement[],
): { readonly undo: () => void } {
  const { read } = FileSegments.prototype;
  const mock = t.mock.method(
    FileSegments.prototype,
    "read",
    function (this: FileSegments, place: Placement, buffer?: Uint8Array) {
      if (ranges.some((range) => touches(place, range))) return Promise.reject(diskError());
      return read.call(this, place, buffer);
    },
  );
  return { undo: () => mock.mock.restore() };
}

/** What the system answers where a disk cannot read. */
export function diskError(): Error {
  return Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
}

function touches(one: Placement, other: Placement): boolean {
  if (one.segment !== other.segment) return false;
  return one.offset < other.offset + other.length && other.offset < one.offset + one.length;
}
