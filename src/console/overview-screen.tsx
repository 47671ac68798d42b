import { type Client, getStoreStatus, listStoreSamples } from "../client/browser.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { ActivityCharts, GrowthCharts } from "./activity-charts.tsx";
import { useConsole, useLoad } from "./console-context.ts";
import { Failure } from "./failure.tsx";
import { Figure } from "./figure.tsx";
import { formatBytes, formatCount } from "./format.ts";
import { ifAllowed } from "./if-allowed.ts";
import { OverdueVolumes } from "./overdue-volumes.tsx";
import { loadRows, type SnapshotRow } from "./snapshot-rows.ts";
import { StoreCare, StoreFigures } from "./store-figures.tsx";

/** How often what the store does is looked at. */
const STATUS_AGAIN_MS = 2_000;
/** How often what grows by the hour is: snapshots and samples. */
const ROWS_AGAIN_MS = 30_000;

/** How the account's snapshots and the store are. */
export function OverviewScreen() {
  const { client } = useConsole();
  const rows = useLoad("rows", (signal) => loadRows(client, signal), {
    againAfterMs: () => ROWS_AGAIN_MS,
  });
  return (
    <>
      <div class="heading">
        <h1>Overview</h1>
        <button type="button" onClick={rows.reload} disabled={rows.isLoading}>
          {rows.isLoading ? "Loading …" : "Reload"}
        </button>
      </div>
      <Failure text={rows.error} />
      <StoreOverview generation={rows.value} />
      {rows.value ? <AccountOverview rows={rows.value} /> : null}
    </>
  );
}

/** The whole store, for those who manage it; it is looked at again by itself. */
function StoreOverview({ generation }: { readonly generation: unknown }) {
  const { client } = useConsole();
  const status = useLoad(
    "status",
    (signal) => ifAllowed(getStoreStatus(client, { signal }), undefined),
    {
      againAfterMs: (value) => (value ? STATUS_AGAIN_MS : undefined),
    },
  );
  const samples = useLoad("samples", (signal) => loadSamples(client, signal), {
    againAfterMs: (value) => (value ? ROWS_AGAIN_MS : undefined),
  });
  const { value } = status;
  return (
    <section aria-labelledby="store-heading">
      <h2 id="store-heading">The store</h2>
      <Failure text={status.error ?? samples.error} />
      {value ? (
        <>
          <StoreFigures status={value} />
          <div class="charts">
            <GrowthCharts samples={samples.value ?? []} />
            <ActivityCharts activity={value.Activity} />
          </div>
          <StoreCare status={value} />
        </>
      ) : (
        <p class="empty">
          {status.isLoading && generation === undefined
            ? "Loading …"
            : "Told to access keys without a policy of the account that manages it."}
        </p>
      )}
    </section>
  );
}

function loadSamples(client: Client, signal: AbortSignal) {
  return ifAllowed(listStoreSamples(client, { signal }), undefined);
}

function AccountOverview({ rows }: { readonly rows: readonly SnapshotRow[] }) {
  const countOf = (state: string) => rows.filter(({ snapshot }) => snapshot.State === state).length;
  const protectedBytes = sum(rows, ({ snapshot }) => snapshot.FullSnapshotSizeInBytes ?? 0);
  const written = sum(rows, ({ lineage }) => lineage?.WrittenBlockCount ?? 0) * BLOCK_SIZE_BYTES;
  const damaged = rows.filter(({ verification }) => verification?.Outcome === "damaged");
  const never = rows.filter(
    ({ snapshot, verification }) => snapshot.State === "completed" && verification === undefined,
  );
  return (
    <section aria-labelledby="account-heading">
      <h2 id="account-heading">Snapshots of this account</h2>
      <div class="figures">
        <Figure name="Completed" value={formatCount(countOf("completed"))} />
        <Figure name="Pending" value={formatCount(countOf("pending"))} />
        <Figure
          name="In error"
          value={formatCount(countOf("error"))}
          isBad={countOf("error") > 0}
        />
        <Figure name="Protected" value={formatBytes(protectedBytes)}>
          all blocks of all snapshots, as they are read
        </Figure>
        <Figure name="Written" value={formatBytes(written)}>
          blocks written in them, incrementally
        </Figure>
        <Figure name="Found damaged" value={formatCount(damaged.length)} isBad={damaged.length > 0}>
          when last verified; {formatCount(never.length)} never were
        </Figure>
      </div>
      {rows.length === 0 ? (
        <p class="empty">
          There are no snapshots yet: <code>varve upload IMAGE</code> makes one.
        </p>
      ) : (
        <OverdueVolumes rows={rows} />
      )}
    </section>
  );
}

function sum(rows: readonly SnapshotRow[], sizeOf: (row: SnapshotRow) => number): number {
  return rows.reduce((total, row) => total + sizeOf(row), 0);
}
