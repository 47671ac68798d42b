import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { Failure } from "./failure.tsx";
import { counted, formatBytes, formatTime } from "./format.ts";
import { compareHref, snapshotHref } from "./route.ts";
import { State } from "./snapshot-cells.tsx";
import { ancestorsOf, childrenOf, loadRows, type SnapshotRow } from "./snapshot-rows.ts";

/** Ancestors drawn; of more it is said that they are there. */
const SHOWN_COUNT = 12;

/** What a snapshot descends from, and what descends from it. */
export function SnapshotLineage({ row }: { readonly row: SnapshotRow }) {
  const { client } = useConsole();
  const loaded = useLoad("rows", (signal) => loadRows(client, signal));
  const rows = loaded.value ?? [];
  const ancestors = ancestorsOf(rows, row);
  const children = childrenOf(rows, row);
  const shown = ancestors.slice(0, SHOWN_COUNT);
  const lost = (ancestors.at(-1) ?? row).lineage?.ParentSnapshotId ?? null;
  return (
    <section aria-labelledby="lineage-heading">
      <h2 id="lineage-heading">Lineage</h2>
      <Failure text={loaded.error} />
      {loaded.value === undefined ? <p class="quiet">Loading …</p> : null}
      {loaded.value !== undefined ? (
        <ol class="lineage" reversed={undefined}>
          {children.map((each) => (
            <Line key={each.id} row={each} relation="descends from it" first={row.id} />
          ))}
          <li class="current">
            <div>
              <strong class="id">{row.id}</strong> <span class="quiet">this snapshot</span>
            </div>
          </li>
          {shown.map((each, at) => (
            <Line
              key={each.id}
              row={each}
              relation={at === 0 ? "its parent" : `${at + 1} before it`}
              second={row.id}
            />
          ))}
        </ol>
      ) : null}
      {ancestors.length > shown.length ? (
        <p class="quiet">and {counted(ancestors.length - shown.length, "more", "more")} before</p>
      ) : null}
      {loaded.value !== undefined && lost !== null ? (
        <p class="quiet">
          <code class="id">{lost}</code>, from which these descend, is not there any more; nothing
          of them is lost by that.
        </p>
      ) : null}
    </section>
  );
}

function Line(props: {
  readonly row: SnapshotRow;
  readonly relation: string;
  readonly first?: string;
  readonly second?: string;
}) {
  const { row, relation, first, second } = props;
  const { id, snapshot, lineage } = row;
  const isCompleted = snapshot.State === "completed";
  const written = (lineage?.WrittenBlockCount ?? 0) * BLOCK_SIZE_BYTES;
  return (
    <li class={first === undefined ? "next" : "branch"}>
      <div>
        <a class="id" href={snapshotHref(id)}>
          {id}
        </a>{" "}
        <State snapshot={snapshot} /> <span class="inline-text">{snapshot.Description}</span>
        <span class="quiet">
          {relation}, {formatTime(snapshot.StartTime)}
          {isCompleted ? `, ${formatBytes(written)} written in it; ` : ""}
          {isCompleted ? <a href={compareHref(first ?? id, second ?? id)}>compare</a> : null}
        </span>
      </div>
    </li>
  );
}
