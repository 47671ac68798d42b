import { useState } from "preact/hooks";
import type { Extent } from "../model/extent.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { formatBytes, formatCount } from "./format.ts";

/** Rows drawn at once. */
const ROWS_COUNT = 100;

/** Runs of blocks, ascending. */
export function ExtentsTable({ extents }: { readonly extents: readonly Extent[] }) {
  const [shownCount, setShownCount] = useState(ROWS_COUNT);
  if (extents.length === 0) return null;
  return (
    <>
      <table class="extents">
        <thead>
          <tr>
            <th scope="col" class="number">
              Block index
            </th>
            <th scope="col" class="number">
              Blocks
            </th>
            <th scope="col" class="number">
              Offset
            </th>
            <th scope="col" class="number">
              Length
            </th>
          </tr>
        </thead>
        <tbody>
          {extents.slice(0, shownCount).map(({ start, count }) => (
            <tr key={start}>
              <td class="number">{formatCount(start)}</td>
              <td class="number">{formatCount(count)}</td>
              <td class="number">{formatBytes(start * BLOCK_SIZE_BYTES)}</td>
              <td class="number">{formatBytes(count * BLOCK_SIZE_BYTES)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {extents.length > shownCount ? (
        <button type="button" onClick={() => setShownCount(shownCount + ROWS_COUNT)}>
          Show more of {formatCount(extents.length)} extents
        </button>
      ) : null}
    </>
  );
}
