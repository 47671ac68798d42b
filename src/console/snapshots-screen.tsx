import { useState } from "preact/hooks";
import { BulkActions } from "./bulk-actions.tsx";
import { useConsole, useLoad } from "./console-context.ts";
import { counted } from "./format.ts";
import { LineageTree } from "./lineage-tree.tsx";
import { filterRows, loadRows, type RowFilter, type SnapshotRow } from "./snapshot-rows.ts";
import { SnapshotTable } from "./snapshot-table.tsx";

const STATES = ["completed", "pending", "error"];

/** How often the list is loaded again while something is pending. */
const AGAIN_MS = 3_000;

function againAfterMs(rows: readonly SnapshotRow[]): number | undefined {
  return rows.some(({ snapshot }) => snapshot.State === "pending") ? AGAIN_MS : undefined;
}

/** All snapshots of the account: to find, to look through, and to work on many at once. */
export function SnapshotsScreen() {
  const { client } = useConsole();
  const loaded = useLoad("snapshots", (signal) => loadRows(client, signal), { againAfterMs });
  const [filter, setFilter] = useState<RowFilter>({ state: "", tag: "", text: "" });
  const [view, setView] = useState<"table" | "lineage">("table");
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const all = loaded.value ?? [];
  const rows = filterRows(all, filter);
  // What is not shown is not worked on.
  const selected = rows.filter(({ id }) => ids.has(id));
  const selection = { ids, onChange: setIds };
  return (
    <>
      <div class="heading">
        <h1>Snapshots</h1>
        <button type="button" onClick={loaded.reload} disabled={loaded.isLoading}>
          {loaded.isLoading ? "Loading …" : "Reload"}
        </button>
      </div>
      <Filters filter={filter} rows={all} onChange={setFilter} />
      <fieldset class="switch">
        <legend>View</legend>
        {(["table", "lineage"] as const).map((name) => (
          <label key={name}>
            <input
              type="radio"
              name="view"
              checked={view === name}
              onChange={() => setView(name)}
            />
            {name === "table" ? "Table" : "Lineages"}
          </label>
        ))}
      </fieldset>
      <BulkActions
        selected={selected}
        onDone={() => {
          setIds(new Set());
          loaded.reload();
        }}
      />
      {loaded.error === undefined ? null : (
        <p class="failure" role="alert">
          {loaded.error}
        </p>
      )}
      <p class="quiet" role="status">
        {loaded.value === undefined && loaded.isLoading ? "Loading …" : listText(rows, all)}
      </p>
      {view === "table" ? (
        <SnapshotTable rows={rows} selection={selection} />
      ) : (
        <LineageTree rows={rows} selection={selection} />
      )}
    </>
  );
}

function listText(rows: readonly SnapshotRow[], all: readonly SnapshotRow[]): string {
  if (all.length === 0) return "There are no snapshots yet: varve upload IMAGE makes one.";
  if (rows.length === all.length) return counted(all.length, "snapshot");
  return `${rows.length} of ${counted(all.length, "snapshot")}`;
}

function Filters(props: {
  readonly filter: RowFilter;
  readonly rows: readonly SnapshotRow[];
  readonly onChange: (filter: RowFilter) => void;
}) {
  const { filter, rows, onChange } = props;
  const input = (name: keyof RowFilter) => ({
    value: filter[name],
    onInput: (event: { currentTarget: { value: string } }) =>
      onChange({ ...filter, [name]: event.currentTarget.value }),
  });
  const keys = new Set(rows.flatMap(({ snapshot }) => snapshot.Tags.map(({ Key }) => Key)));
  return (
    <search class="filters">
      <label>
        Search
        <input type="search" placeholder="id, description or tag" {...input("text")} />
      </label>
      <label>
        State
        <select {...input("state")}>
          <option value="">any</option>
          {STATES.map((state) => (
            <option key={state} value={state}>
              {state}
            </option>
          ))}
        </select>
      </label>
      <label>
        Tag
        <input list="tag-keys" placeholder="Key or Key=Value" {...input("tag")} />
      </label>
      <datalist id="tag-keys">
        {[...keys].sort().map((key) => (
          <option key={key} value={key} />
        ))}
      </datalist>
    </search>
  );
}
