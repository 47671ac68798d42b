import { useState } from "preact/hooks";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { formatBytes, formatTime } from "./format.ts";
import { snapshotHref } from "./route.ts";
import { State, Tags, Verified } from "./snapshot-cells.tsx";
import type { SnapshotRow } from "./snapshot-rows.ts";

/** Which snapshots are selected, by id. */
export interface Selection {
  readonly ids: ReadonlySet<string>;
  readonly onChange: (ids: ReadonlySet<string>) => void;
}

/** Rows drawn at once; a browser slows down with tens of thousands. */
const ROWS_COUNT = 200;

type Column = "started" | "size" | "full" | "written";

const COMPARE: Readonly<Record<Column, (a: SnapshotRow, b: SnapshotRow) => number>> = {
  started: (a, b) => a.snapshot.StartTime.localeCompare(b.snapshot.StartTime),
  size: (a, b) => a.snapshot.VolumeSize - b.snapshot.VolumeSize,
  full: (a, b) => fullBytes(a) - fullBytes(b),
  written: (a, b) => writtenBytes(a) - writtenBytes(b),
};

function fullBytes({ snapshot }: SnapshotRow): number {
  return snapshot.FullSnapshotSizeInBytes ?? -1;
}

/** What changed since the parent, which has the rest. */
function writtenBytes({ lineage }: SnapshotRow): number {
  return (lineage?.WrittenBlockCount ?? 0) * BLOCK_SIZE_BYTES;
}

/** The snapshots as a table to sort and to select in. */
export function SnapshotTable(props: {
  readonly rows: readonly SnapshotRow[];
  readonly selection: Selection;
}) {
  const { rows, selection } = props;
  const [order, setOrder] = useState<{ column: Column; isUp: boolean }>({
    column: "started",
    isUp: false,
  });
  const [shownCount, setShownCount] = useState(ROWS_COUNT);
  const sign = order.isUp ? 1 : -1;
  const sorted = rows.toSorted((a, b) => sign * COMPARE[order.column](a, b));
  const heading = (column: Column, title: string, className = "") => (
    <th scope="col" class={`sortable ${className}`} aria-sort={sortOf(order, column)}>
      <button
        type="button"
        class="sort"
        onClick={() => setOrder({ column, isUp: order.column === column && !order.isUp })}
      >
        {title}
      </button>
    </th>
  );
  return (
    <>
      <table class="snapshots">
        <thead>
          <tr>
            <td>
              <SelectAll rows={rows} selection={selection} />
            </td>
            <th scope="col">Snapshot</th>
            <th scope="col">State</th>
            {heading("size", "Volume", "number")}
            {heading("full", "Full size", "number")}
            {heading("written", "Written", "number")}
            <th scope="col">Tags</th>
            {heading("started", "Started")}
            <th scope="col">Verified</th>
          </tr>
        </thead>
        <tbody>
          {sorted.slice(0, shownCount).map((row) => (
            <Row key={row.id} row={row} selection={selection} />
          ))}
        </tbody>
      </table>
      {sorted.length > shownCount ? (
        <button type="button" onClick={() => setShownCount(shownCount + ROWS_COUNT)}>
          Show {Math.min(ROWS_COUNT, sorted.length - shownCount)} more of {sorted.length}
        </button>
      ) : null}
    </>
  );
}

function sortOf(order: { column: Column; isUp: boolean }, column: Column) {
  if (order.column !== column) return undefined;
  return order.isUp ? "ascending" : "descending";
}

function SelectAll(props: {
  readonly rows: readonly SnapshotRow[];
  readonly selection: Selection;
}) {
  const { rows, selection } = props;
  const isAll = rows.length > 0 && rows.every(({ id }) => selection.ids.has(id));
  return (
    <input
      type="checkbox"
      aria-label="Select all shown"
      checked={isAll}
      onChange={() => selection.onChange(new Set(isAll ? [] : rows.map(({ id }) => id)))}
    />
  );
}

/** The box that selects one snapshot. */
export function SelectOne(props: { readonly id: string; readonly selection: Selection }) {
  const { id, selection } = props;
  const toggle = () => {
    const ids = new Set(selection.ids);
    if (!ids.delete(id)) ids.add(id);
    selection.onChange(ids);
  };
  return (
    <input
      type="checkbox"
      aria-label={`Select ${id}`}
      checked={selection.ids.has(id)}
      onChange={toggle}
    />
  );
}

function Row({ row, selection }: { readonly row: SnapshotRow; readonly selection: Selection }) {
  const { id, snapshot, verification } = row;
  const { VolumeSize, FullSnapshotSizeInBytes: full, StartTime, Description } = snapshot;
  return (
    <tr>
      <td>
        <SelectOne id={id} selection={selection} />
      </td>
      <th scope="row">
        <a class="id" href={snapshotHref(id)}>
          {id}
        </a>
        <span class="description">{Description}</span>
      </th>
      <td>
        <State snapshot={snapshot} />
      </td>
      <td class="number" data-label="Volume">
        {VolumeSize} GiB
      </td>
      <td class="number" data-label="Full size">
        {full === undefined ? "–" : formatBytes(full)}
      </td>
      <td class="number" data-label="Written">
        {full === undefined || !row.lineage ? "–" : formatBytes(writtenBytes(row))}
      </td>
      <td>
        <Tags tags={snapshot.Tags} />
      </td>
      <td data-label="Started">{formatTime(StartTime)}</td>
      <td data-label="Verified">
        <Verified verification={verification} />
      </td>
    </tr>
  );
}
