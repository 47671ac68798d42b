import type { ComponentChildren } from "preact";
import {
  type Client,
  describeStore,
  isAccessDenied,
  listAccounts,
  type StoreDescription,
} from "../client/browser.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { counted, formatBytes, formatCount, formatTime } from "./format.ts";
import { loadRows, type SnapshotRow } from "./snapshot-rows.ts";

/** Damaged records that the service counts; of more it says so many. */
const DAMAGED_COUNT_MAX = 1_000;

/** What the overview is made from. */
interface Overview {
  readonly rows: readonly SnapshotRow[];
  /** Undefined where the caller does not manage the store. */
  readonly store: StoreDescription | undefined;
  readonly accountCount: number;
}

async function loadOverview(client: Client, signal: AbortSignal): Promise<Overview> {
  const [rows, managed] = await Promise.all([
    loadRows(client, signal),
    ifManager(Promise.all([describeStore(client, { signal }), listAccounts(client, { signal })])),
  ]);
  const [store, accounts] = managed ?? [];
  return { rows, store, accountCount: accounts?.length ?? 0 };
}

/** Undefined for those who do not manage the store. */
async function ifManager<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isAccessDenied(error)) return undefined;
    throw error;
  }
}

/** How the account's snapshots and the store are. */
export function OverviewScreen() {
  const { client } = useConsole();
  const { value, error, isLoading, reload } = useLoad("overview", (signal) =>
    loadOverview(client, signal),
  );
  return (
    <>
      <div class="heading">
        <h1>Overview</h1>
        <button type="button" onClick={reload} disabled={isLoading}>
          {isLoading ? "Loading …" : "Reload"}
        </button>
      </div>
      {error === undefined ? null : (
        <p class="failure" role="alert">
          {error}
        </p>
      )}
      {value ? <Figures overview={value} /> : null}
    </>
  );
}

function Figures({ overview }: { readonly overview: Overview }) {
  const { rows, store } = overview;
  const countOf = (state: string) => rows.filter(({ snapshot }) => snapshot.State === state).length;
  const protectedBytes = sum(rows, ({ snapshot }) => snapshot.FullSnapshotSizeInBytes ?? 0);
  const written = sum(rows, ({ lineage }) => lineage?.WrittenBlockCount ?? 0) * BLOCK_SIZE_BYTES;
  const damaged = rows.filter(({ verification }) => verification?.Outcome === "damaged");
  const never = rows.filter(
    ({ snapshot, verification }) => snapshot.State === "completed" && verification === undefined,
  );
  return (
    <>
      <h2>Snapshots of this account</h2>
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
      <h2>The store</h2>
      {store ? (
        <StoreFigures {...{ overview, store, protectedBytes }} />
      ) : (
        <p class="quiet">Told to access keys without a policy of the account that manages it.</p>
      )}
    </>
  );
}

function StoreFigures(props: {
  readonly overview: Overview;
  readonly store: StoreDescription;
  readonly protectedBytes: number;
}) {
  const { overview, store, protectedBytes } = props;
  const { StoredBytes, SegmentCount, DamagedRecordCount, VerifiedSince, LastCollectionTime } =
    store;
  // With several accounts, what is stored is not this one's alone.
  const isComparable = overview.accountCount === 1 && StoredBytes > 0;
  const isCapped = DamagedRecordCount === DAMAGED_COUNT_MAX;
  return (
    <div class="figures">
      <Figure name="Stored" value={formatBytes(StoredBytes)}>
        in {counted(SegmentCount, "segment")}, of {counted(overview.accountCount, "account")}
      </Figure>
      <Figure
        name="Protected to stored"
        value={isComparable ? `${(protectedBytes / StoredBytes).toFixed(1)} : 1` : "–"}
      >
        {isComparable ? "by increments, deduplication and compression" : "told of one account"}
      </Figure>
      <Figure
        name="Damaged records"
        value={`${formatCount(DamagedRecordCount)}${isCapped ? " or more" : ""}`}
        isBad={DamagedRecordCount > 0}
      >
        {DamagedRecordCount > 0 ? "varve verify finds out of which snapshots" : "none is known"}
      </Figure>
      <Figure name="All read again since" value={formatTime(VerifiedSince ?? "")}>
        by the scrub, or written
      </Figure>
      <Figure name="Last collection" value={formatTime(LastCollectionTime ?? "")}>
        of garbage
      </Figure>
    </div>
  );
}

function sum(rows: readonly SnapshotRow[], sizeOf: (row: SnapshotRow) => number): number {
  return rows.reduce((total, row) => total + sizeOf(row), 0);
}

function Figure(props: {
  readonly name: string;
  readonly value: string;
  readonly isBad?: boolean;
  readonly children?: ComponentChildren;
}) {
  return (
    <dl class="figure">
      <dt>{props.name}</dt>
      <dd class={props.isBad ? "value failure" : "value"}>{props.value}</dd>
      {props.children ? <dd class="quiet">{props.children}</dd> : null}
    </dl>
  );
}
