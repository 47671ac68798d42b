import type { EngineStatus, StoreStatus } from "../client/browser.ts";
import { Figure } from "./figure.tsx";
import { counted, formatAge, formatBytes, formatCount, formatDay, formatTime } from "./format.ts";

/** Damaged records that the service counts; of more it says so many. */
const DAMAGED_COUNT_MAX = 1_000;

/** What is protected and what that takes. */
export function StoreFigures({ status }: { readonly status: StoreStatus }) {
  const { Sizes, Snapshots } = status;
  const { ProtectedBytes, StoredBytes, SegmentBytes, FreeBytes, FullTime } = Sizes;
  const { Pending, Sealing, Copying, Recycled } = Snapshots;
  const pending = Pending + Sealing + Copying;
  return (
    <div class="figures">
      <Figure name="Protected bytes" value={formatBytes(ProtectedBytes)}>
        {counted(Snapshots.Completed, "completed snapshot")} of all accounts, each in full
      </Figure>
      <Figure name="Stored bytes" value={formatBytes(StoredBytes)}>
        {SegmentBytes === null
          ? "records that can be found"
          : `in segments of ${formatBytes(SegmentBytes)}`}
      </Figure>
      <Figure name="Deduplication" value={factorText(Sizes.DedupFactor)}>
        protected bytes to distinct ones
      </Figure>
      <Figure name="Compression" value={factorText(Sizes.CompressionFactor)}>
        plain bytes to stored ones
      </Figure>
      <Figure name="Free" value={FreeBytes === null ? "–" : formatBytes(FreeBytes)}>
        {FullTime === null
          ? "not full at this pace, as far as is known"
          : `full on ${formatDay(FullTime)} at this pace`}
      </Figure>
      <Figure name="Snapshots under way" value={formatCount(pending)}>
        {counted(Snapshots.Error, "snapshot")} in error, {formatCount(Recycled)} in the recycle bin
      </Figure>
    </div>
  );
}

function factorText(factor: number | null): string {
  if (factor === null) return "–";
  return `${factor >= 100 ? formatCount(Math.round(factor)) : factor.toFixed(1)} ×`;
}

/** What looks after the store, and whether its engines work. */
export function StoreCare({ status }: { readonly status: StoreStatus }) {
  const { Tasks, LastCollection: last, Scrub, Engines, Process } = status;
  const upMs = Date.parse(status.Time) - Date.parse(Process.StartTime);
  const damaged = Scrub.DamagedRecordCount;
  const isCapped = damaged === DAMAGED_COUNT_MAX;
  return (
    <div class="figures">
      <Figure name="Tasks" value={formatCount(Tasks.length)}>
        {Tasks.length === 0 ? "nothing goes on; " : `${kindsOf(Tasks)}; `}
        <a href="#/tasks">all tasks</a>
      </Figure>
      <Figure name="Last collection" value={last === null ? "–" : formatTime(last.Time)}>
        {last === null
          ? "of garbage: none yet"
          : last.RemovedBytes === null
            ? "of garbage"
            : `of garbage; ${formatBytes(last.RemovedBytes)} removed`}
      </Figure>
      <Figure name="All read again since" value={formatTime(Scrub.VerifiedSince ?? "")}>
        by the scrub, or written
      </Figure>
      <Figure
        name="Damaged records"
        value={`${formatCount(damaged)}${isCapped ? " or more" : ""}`}
        isBad={damaged > 0}
      >
        {damaged > 0 ? "varve verify finds out of which snapshots" : "none is known"}
      </Figure>
      <Figure name="Running for" value={formatAge(upMs)}>
        version {Process.Version}, {formatBytes(Process.MemoryBytes)} of memory
      </Figure>
      <div class="figure">
        <h3 class="quiet">Engines</h3>
        <ul class="plain">
          {Engines.map((engine) => (
            <Engine key={engine.Name} engine={engine} />
          ))}
        </ul>
      </div>
    </div>
  );
}

function Engine({ engine }: { readonly engine: EngineStatus }) {
  const { Name, State, Message } = engine;
  return (
    <li>
      <span class={`state ${MARKS[State]}`}>{Name}</span>{" "}
      <span class={State === "Ok" ? "quiet" : "failure"}>
        {WORDS[State]}
        {Message === null ? "" : `: ${Message}`}
      </span>
    </li>
  );
}

const MARKS: Readonly<Record<EngineStatus["State"], string>> = {
  Ok: "completed",
  Degraded: "pending",
  Failed: "error",
};
const WORDS: Readonly<Record<EngineStatus["State"], string>> = {
  Ok: "works",
  Degraded: "works in part",
  Failed: "does not work",
};

function kindsOf(tasks: StoreStatus["Tasks"]): string {
  const kinds = Map.groupBy(tasks, ({ Kind }) => Kind);
  return [...kinds].map(([kind, each]) => counted(each.length, kind.toLowerCase())).join(", ");
}
