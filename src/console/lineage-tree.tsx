import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { formatBytes, formatTime } from "./format.ts";
import { snapshotHref } from "./route.ts";
import { State, Tags } from "./snapshot-cells.tsx";
import { lineageRows, type SnapshotRow, type TreeRow } from "./snapshot-rows.ts";
import { type Selection, SelectOne } from "./snapshot-table.tsx";

/** Branches set in; deeper ones stay where these are. */
const DEPTH_MAX = 12;
/** Width of one step, in rem. */
const STEP_REM = 1.25;

/** Which snapshot descends from which. */
export function LineageTree(props: {
  readonly rows: readonly SnapshotRow[];
  readonly selection: Selection;
}) {
  return (
    <ul class="lineage">
      {lineageRows(props.rows).map((each) => (
        <TreeLine key={each.row.id} tree={each} selection={props.selection} />
      ))}
    </ul>
  );
}

function TreeLine({ tree, selection }: { readonly tree: TreeRow; readonly selection: Selection }) {
  const { row, depth, descent } = tree;
  const { id, snapshot, lineage } = row;
  const written = (lineage?.WrittenBlockCount ?? 0) * BLOCK_SIZE_BYTES;
  return (
    <li
      class={descent}
      style={{ marginInlineStart: `${Math.min(depth, DEPTH_MAX) * STEP_REM}rem` }}
    >
      <SelectOne id={id} selection={selection} />
      <div>
        <a class="id" href={snapshotHref(id)}>
          {id}
        </a>{" "}
        <State snapshot={snapshot} />
        <span class="description">{snapshot.Description}</span>
        <span class="quiet">
          {formatTime(snapshot.StartTime)}
          {lineage && snapshot.State === "completed" ? `, ${formatBytes(written)} of its own` : ""}
          {DESCENT[descent](lineage?.ParentSnapshotId ?? "")}
        </span>
        <Tags tags={snapshot.Tags} />
      </div>
    </li>
  );
}

const DESCENT: Readonly<Record<TreeRow["descent"], (parent: string) => string>> = {
  first: () => "",
  next: (parent) => `, from ${parent}`,
  branch: (parent) => `, a branch from ${parent}`,
  orphan: (parent) => `, from ${parent}, which is not in this list`,
};
