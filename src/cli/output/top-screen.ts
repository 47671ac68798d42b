import type { ActivityPoint, EngineStatus, StoreSample, StoreStatus } from "../../client/index.ts";
import { type Column, formatBytes, formatSeconds, formatTable, printable } from "./format.ts";

/** From nothing to the most there was. */
const BARS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;
/** Columns of a chart. */
const CHART_COLUMNS = 30;
/** Tasks that are shown; of more it is said how many. */
const TASKS_SHOWN = 10;

/** The live overview as lines of text; those longer than `columns` are cut. */
export function topScreen(
  status: StoreStatus,
  samples: readonly StoreSample[],
  columns: number,
): string[] {
  const lines = [
    head(status),
    "",
    ...sizes(status, samples),
    "",
    ...activity(status),
    "",
    ...tasks(status),
    "",
    ...upkeep(status),
  ];
  return lines.map((line) => [...line].slice(0, columns).join(""));
}

function head({ Process, Time }: StoreStatus): string {
  const { Version, Region, Id, StartTime, MemoryBytes, EventLoopDelayMs } = Process;
  const up = formatSeconds(secondsBetween(StartTime, Time));
  const parts = [
    `Varve ${Version}`,
    Region,
    `process ${Id}`,
    `up ${up}`,
    formatBytes(MemoryBytes),
    `event loop ${EventLoopDelayMs} ms late`,
  ];
  return printable(parts.join(" · "));
}

function sizes({ Sizes, Snapshots, Time }: StoreStatus, samples: readonly StoreSample[]): string[] {
  const factors = [
    Sizes.DedupFactor === null ? "" : `${Sizes.DedupFactor.toFixed(2)} × by equal blocks`,
    Sizes.CompressionFactor === null ? "" : `${Sizes.CompressionFactor.toFixed(2)} × by zstd`,
  ].filter((text) => text !== "");
  const room = [
    Sizes.FreeBytes === null ? "" : `${formatBytes(Sizes.FreeBytes)} free`,
    Sizes.FullTime === null ? "" : `full in ${days(secondsBetween(Time, Sizes.FullTime))}`,
    Sizes.SegmentBytes === null ? "" : `${formatBytes(Sizes.SegmentBytes)} in segments`,
  ].filter((text) => text !== "");
  const counts = Object.entries(Snapshots).filter(([name, count]) => {
    return count > 0 || name === "Completed";
  });
  return [
    row("Protected", [formatBytes(Sizes.ProtectedBytes), ...factors].join(" · ")),
    row("Stored", [formatBytes(Sizes.StoredBytes), ...room].join(" · ")),
    ...growth(samples),
    row("Snapshots", counts.map(([name, count]) => `${count} ${name.toLowerCase()}`).join(" · ")),
  ];
}

function growth(samples: readonly StoreSample[]): string[] {
  const [first, last] = [samples.at(0), samples.at(-1)];
  if (!first || !last || first === last) return [];
  const picture = chart(samples.map(({ StoredBytes }) => StoredBytes));
  const since = days(secondsBetween(first.Time, last.Time));
  const [from, to] = [formatBytes(first.StoredBytes), formatBytes(last.StoredBytes)];
  return [row("Growth", `${picture} stored from ${from} to ${to} in ${since}`)];
}

function activity({ Activity: { Points, IntervalSeconds, InFlight } }: StoreStatus): string[] {
  const latest = Points.at(-1);
  const rate = (of: (point: ActivityPoint) => number) =>
    latest ? of(latest) / IntervalSeconds : 0;
  const picture = (of: (point: ActivityPoint) => number) => chart(Points.map(of));
  const latency = (quantiles: ActivityPoint["PutLatency"] | undefined) =>
    quantiles ? ` · half within ${quantiles.P50} ms, 99 % within ${quantiles.P99} ms` : "";
  const [refused, failed] = [
    rate(({ RefusedCount }) => RefusedCount),
    rate(({ FailedCount }) => FailedCount),
  ];
  return [
    row(
      "Requests",
      `${picture(({ RequestCount }) => RequestCount)} ` +
        `${rate(({ RequestCount }) => RequestCount).toFixed(1)}/s · ${InFlight} in flight · ` +
        `${refused.toFixed(1)}/s refused · ${failed.toFixed(1)}/s failed`,
    ),
    row(
      "Written",
      `${picture(({ WrittenBytes }) => WrittenBytes)} ` +
        `${formatBytes(rate(({ WrittenBytes }) => WrittenBytes))}/s${latency(latest?.PutLatency)}`,
    ),
    row(
      "Read",
      `${picture(({ ReadBytes }) => ReadBytes)} ` +
        `${formatBytes(rate(({ ReadBytes }) => ReadBytes))}/s${latency(latest?.GetLatency)}`,
    ),
  ];
}

const TASK_COLUMNS: readonly Column[] = [
  { title: "TASK" },
  { title: "OF" },
  { title: "DONE", align: "right" },
  { title: "FOR", align: "right" },
];

function tasks({ Tasks, Time }: StoreStatus): string[] {
  if (Tasks.length === 0) return ["No task is under way."];
  const rows = Tasks.slice(0, TASKS_SHOWN).map((task) => [
    task.Kind.toLowerCase(),
    task.Id,
    doneOf(task),
    task.StartTime === null ? "" : formatSeconds(secondsBetween(task.StartTime, Time)),
  ]);
  const more = Tasks.length - rows.length;
  const table = formatTable(TASK_COLUMNS, rows).split("\n");
  return more > 0 ? [...table, `and ${more} more`] : table;
}

function doneOf({ Done, Total, Unit }: StoreStatus["Tasks"][number]): string {
  if (Done === null) return "";
  const done = Unit === "bytes" ? formatBytes(Done) : `${Done} ${Unit}`;
  if (Total === null || Total === 0) return done;
  return `${done} · ${Math.min(100, Math.floor((Done / Total) * 100))} %`;
}

function upkeep({ LastCollection, Scrub, Engines, Time }: StoreStatus): string[] {
  const { VerifiedSince, DamagedRecordCount } = Scrub;
  const damaged = DamagedRecordCount === 0 ? "none" : `${DamagedRecordCount}`;
  const verified =
    VerifiedSince === null
      ? "nothing is stored"
      : `everything within ${days(secondsBetween(VerifiedSince, Time))}`;
  return [
    row("Collected", collected(LastCollection, Time)),
    row("Read again", `${verified} · damaged records: ${damaged}`),
    row("Engines", Engines.map(engine).join(" · ")),
  ];
}

function collected(latest: StoreStatus["LastCollection"], time: string): string {
  if (latest === null) return "never";
  const ago = `${formatSeconds(secondsBetween(latest.Time, time))} ago`;
  const { RemovedRecords, RemovedBytes } = latest;
  if (RemovedRecords === null || RemovedBytes === null) return ago;
  return `${ago} · ${RemovedRecords} records of ${formatBytes(RemovedBytes)} removed`;
}

function engine({ Name, State, Message }: EngineStatus): string {
  const text = `${Name} ${State.toLowerCase()}`;
  return printable(Message === null ? text : `${text} (${Message})`);
}

function row(title: string, text: string): string {
  return `${title.padEnd(11)}${text}`;
}

/** The latest values as bars beside one another, each up to the greatest of them. */
function chart(values: readonly number[]): string {
  const shown = condensed(values);
  const most = Math.max(...shown, 1);
  const bars = shown.map((value) => BARS[Math.ceil((value / most) * (BARS.length - 1))]);
  return bars.join("").padStart(CHART_COLUMNS, BARS[0]);
}

/** As many values as a chart has columns, each the greatest of some beside one another. */
function condensed(values: readonly number[]): number[] {
  const perColumn = Math.max(1, Math.ceil(values.length / CHART_COLUMNS));
  const columns: number[] = [];
  for (let end = values.length; end > 0; end -= perColumn) {
    columns.unshift(Math.max(...values.slice(Math.max(0, end - perColumn), end)));
  }
  return columns;
}

function secondsBetween(from: string, to: string): number {
  return Math.max(0, (Date.parse(to) - Date.parse(from)) / 1_000);
}

/** Spans of days as days, shorter ones as hours and less. */
function days(seconds: number): string {
  const count = Math.round(seconds / 86_400);
  return count < 2 ? formatSeconds(seconds) : `${count} days`;
}
