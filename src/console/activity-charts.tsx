import type { Activity, StoreSample } from "../client/browser.ts";
import { formatBytes } from "./format.ts";
import { LineChart } from "./line-chart.tsx";

/** How the store has grown. */
export function GrowthCharts({ samples }: { readonly samples: readonly StoreSample[] }) {
  if (samples.length === 0) {
    return (
      <p class="empty">
        How it grows is measured once an hour; the first measure is taken within minutes of the
        start.
      </p>
    );
  }
  const times = samples.map(({ Time }) => Date.parse(Time) / 1_000);
  const stored = samples.map(({ StoredBytes }) => StoredBytes);
  const whole = samples.map(({ ProtectedBytes }) => ProtectedBytes);
  return (
    <>
      <LineChart
        title="Stored over time"
        times={times}
        lines={[{ name: "stored", colour: "own", values: stored }]}
        format={formatBytes}
        isBinary
      />
      <LineChart
        title="Protected over time"
        times={times}
        lines={[{ name: "protected", colour: "inherited", values: whole }]}
        format={formatBytes}
        isBinary
      />
    </>
  );
}

/** As far back as is told. */
const SHOWN_SECONDS = 300;

/** What the process that answers has done in the last minutes. */
export function ActivityCharts({ activity }: { readonly activity: Activity }) {
  const { IntervalSeconds } = activity;
  const endMs = Date.parse(activity.Points.at(-1)?.Time ?? "");
  // A clock that was set must not draw five minutes as days.
  const Points = activity.Points.filter(({ Time }) => {
    return Math.abs(endMs - Date.parse(Time)) <= SHOWN_SECONDS * 1_000;
  });
  if (Points.length === 0) {
    return <p class="empty">Throughput and latency are shown after the first seconds.</p>;
  }
  const times = Points.map(({ Time }) => Date.parse(Time) / 1_000);
  const rateOf = (bytes: number) => bytes / IntervalSeconds;
  return (
    <>
      <LineChart
        title="Throughput, last five minutes"
        times={times}
        lines={[
          {
            name: "written",
            colour: "own",
            values: Points.map(({ WrittenBytes }) => rateOf(WrittenBytes)),
          },
          {
            name: "read",
            colour: "inherited",
            values: Points.map(({ ReadBytes }) => rateOf(ReadBytes)),
          },
        ]}
        format={(value) => `${formatBytes(value)}/s`}
        isBinary
      />
      <LineChart
        title="Latency, 99 of 100 requests"
        times={times}
        lines={[
          {
            name: "put",
            colour: "own",
            values: Points.map(({ PutLatency }) => PutLatency?.P99 ?? null),
          },
          {
            name: "get",
            colour: "inherited",
            values: Points.map(({ GetLatency }) => GetLatency?.P99 ?? null),
          },
        ]}
        format={(value) => `${Number(value.toPrecision(3))} ms`}
      />
    </>
  );
}
