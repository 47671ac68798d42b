import { countExclusiveBlocks } from "../client/browser.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { formatBytes } from "./format.ts";
import { ifAllowed } from "./if-allowed.ts";
import type { SnapshotRow } from "./snapshot-rows.ts";

/** What deleting a snapshot frees: the blocks that no other one of its lineage has. */
export function ExclusiveSize({ row }: { readonly row: SnapshotRow }) {
  const { client } = useConsole();
  const { id } = row;
  const loaded = useLoad(`exclusive ${id}`, (signal) =>
    ifAllowed(countExclusiveBlocks(client, id, { signal }), undefined),
  );
  if (loaded.error !== undefined) return <span class="failure">{loaded.error}</span>;
  if (loaded.value === undefined) return <>{loaded.isLoading ? "…" : "–"}</>;
  return (
    <>
      {formatBytes(loaded.value * BLOCK_SIZE_BYTES)}{" "}
      <span class="quiet">as read; equal contents elsewhere stay</span>
    </>
  );
}
