import { useState } from "preact/hooks";
import { BlockMap } from "./block-map.tsx";
import { BlockPanel } from "./block-panel.tsx";
import { CHANGE_KINDS, type ChangedBlocks, loadChangedBlocks } from "./changed-blocks.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { ExtentsTable } from "./extents-table.tsx";
import { counted, formatBytes, formatCount, formatTime } from "./format.ts";
import { compareHref, snapshotHref } from "./route.ts";
import { loadRows, type SnapshotRow } from "./snapshot-rows.ts";
import { type Blocks, useBlocks } from "./use-blocks.ts";

/** Two snapshots of one lineage: where they differ. */
export function CompareScreen(props: { readonly first: string; readonly second: string }) {
  const { client } = useConsole();
  const { first, second } = props;
  const rows = useLoad("snapshots", (signal) => loadRows(client, signal));
  const key = first && second ? `${first} ${second}` : "";
  const pair = { firstSnapshotId: first, secondSnapshotId: second };
  const changed = useBlocks<ChangedBlocks>(key, (loading) =>
    loadChangedBlocks(client, pair, loading),
  );
  return (
    <>
      <div class="heading">
        <h1>Compare</h1>
      </div>
      <Choice {...props} rows={rows.value ?? []} />
      {rows.error === undefined ? null : (
        <p class="failure" role="alert">
          {rows.error}
        </p>
      )}
      {key === "" ? (
        <p class="quiet">Choose two completed snapshots of one lineage.</p>
      ) : (
        <Changes first={first} second={second} changed={changed} />
      )}
    </>
  );
}

function Choice(props: {
  readonly first: string;
  readonly second: string;
  readonly rows: readonly SnapshotRow[];
}) {
  const { rows } = props;
  const completed = rows.filter(({ snapshot }) => snapshot.State === "completed");
  const choose = (part: { first?: string; second?: string }) => {
    const { first, second } = { first: props.first, second: props.second, ...part };
    location.hash = compareHref(first, second);
  };
  const select = (name: "first" | "second", title: string) => (
    <label>
      {title}
      <select
        value={props[name]}
        onChange={(event) => choose({ [name]: event.currentTarget.value })}
      >
        <option value="">choose …</option>
        {completed.map(({ id, snapshot }) => (
          <option key={id} value={id}>
            {id} {formatTime(snapshot.StartTime)} {snapshot.Description}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <div class="fields">
      {select("first", "First")}
      {select("second", "Second")}
      <button type="button" onClick={() => choose({ first: props.second, second: props.first })}>
        Swap
      </button>
    </div>
  );
}

function Changes(props: {
  readonly first: string;
  readonly second: string;
  readonly changed: Blocks<ChangedBlocks>;
}) {
  const { first, second, changed } = props;
  const { state, version, error, isLoading, isPaused, goOn } = changed;
  const [chosen, setChosen] = useState<number>();
  return (
    <>
      {error === undefined ? null : (
        <p class="failure" role="alert">
          {error}
        </p>
      )}
      {isLoading && !isPaused ? <p class="quiet">Comparing …</p> : null}
      {isPaused ? (
        <button type="button" onClick={goOn}>
          {counted(state?.blocks.count ?? 0, "block")} are drawn; load more
        </button>
      ) : null}
      {state === undefined ? null : (
        <>
          <p role="status" class="summary">
            {summary(state)}
          </p>
          <BlockMap
            label={`Blocks that differ between ${first} and ${second}`}
            {...{
              ...state,
              version,
              chosen,
              kinds: CHANGE_KINDS,
              rest: "no change",
              onChoose: setChosen,
            }}
          />
          {chosen === undefined ? null : (
            <div class="pair">
              {[first, second].map((id) => (
                <div key={id}>
                  <h2>
                    <a class="id" href={snapshotHref(id)}>
                      {id}
                    </a>
                  </h2>
                  <BlockPanel snapshotId={id} blockIndex={chosen} />
                </div>
              ))}
            </div>
          )}
          <div class="heading">
            <h2>Extents</h2>
            <Export {...{ first, second, state, isWhole: !isLoading }} />
          </div>
          <ExtentsTable extents={state.diff.extents} />
        </>
      )}
    </>
  );
}

function summary({ diff }: ChangedBlocks): string {
  const { changedBlocks, changedBytes, onlyInFirst, onlyInSecond } = diff;
  if (changedBlocks === 0) return "The snapshots have the same contents.";
  const inBoth = changedBlocks - onlyInFirst - onlyInSecond;
  return (
    `${counted(changedBlocks, "block")} differ (${formatBytes(changedBytes)}): ` +
    `${formatCount(inBoth)} in both, ${formatCount(onlyInFirst)} only in the first, ` +
    `${formatCount(onlyInSecond)} only in the second.`
  );
}

/** Saves what `varve diff --json` would write. */
function Export(props: {
  readonly first: string;
  readonly second: string;
  readonly state: ChangedBlocks;
  /** False while there is more to come. */
  readonly isWhole: boolean;
}) {
  const { first, second, state, isWhole } = props;
  const save = () => {
    const found = { firstSnapshotId: first, secondSnapshotId: second, ...state.diff };
    const blob = new Blob([`${JSON.stringify(found)}\n`], { type: "application/json" });
    const href = URL.createObjectURL(blob);
    const link = Object.assign(document.createElement("a"), {
      href,
      download: `${first}-${second}.json`,
    });
    link.click();
    URL.revokeObjectURL(href);
  };
  return (
    <button type="button" disabled={!isWhole} onClick={save}>
      Export as JSON
    </button>
  );
}
