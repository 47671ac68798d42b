import { useState } from "preact/hooks";
import { formatCount } from "./format.ts";

/** Bytes shown at once, and in a row. */
const PAGE_BYTES = 512;
const ROW_BYTES = 16;

/** The bytes of a block in hexadecimal and as characters, page by page. */
export function HexView({ bytes }: { readonly bytes: Uint8Array }) {
  const [offset, setOffset] = useState(0);
  const last = bytes.length - PAGE_BYTES;
  const isZeros = bytes.every((byte) => byte === 0);
  const turn = (by: number) => setOffset(Math.max(0, Math.min(last, offset + by * PAGE_BYTES)));
  return (
    <>
      <div class="map-buttons">
        <button type="button" disabled={offset === 0} onClick={() => setOffset(0)}>
          First bytes
        </button>
        <button type="button" disabled={offset === 0} onClick={() => turn(-1)}>
          Bytes before
        </button>
        <button type="button" disabled={offset === last} onClick={() => turn(1)}>
          Bytes after
        </button>
        <span class="quiet">
          {formatCount(offset)} to {formatCount(offset + PAGE_BYTES - 1)} of{" "}
          {formatCount(bytes.length)}
          {isZeros ? ", all of them zero" : ""}
        </span>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a keyboard must reach what scrolls */}
      <section class="hex" aria-label="Bytes of the block" tabIndex={0}>
        <pre>{hexLines(bytes, offset).join("\n")}</pre>
      </section>
    </>
  );
}

/** Lines of an offset, sixteen bytes, and the same as characters. */
function hexLines(bytes: Uint8Array, offset: number): string[] {
  return Array.from({ length: PAGE_BYTES / ROW_BYTES }, (_, row) => {
    const at = offset + row * ROW_BYTES;
    const part = [...bytes.subarray(at, at + ROW_BYTES)];
    const hex = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = part.map(characterOf).join("");
    return `${at.toString(16).padStart(5, "0")}  ${hex}  ${text}`;
  });
}

function characterOf(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·";
}
