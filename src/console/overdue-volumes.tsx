import { useState } from "preact/hooks";
import { useConsole } from "./console-context.ts";
import { counted, formatAge, formatTime } from "./format.ts";
import { snapshotHref } from "./route.ts";
import { Tags } from "./snapshot-cells.tsx";
import { latestOfVolumes, type SnapshotRow, type VolumeRow } from "./snapshot-rows.ts";

const MS_PER_HOUR = 3_600_000;
const CHOICES = [
  { hours: 6, title: "6 hours" },
  { hours: 26, title: "a day" },
  { hours: 24 * 8, title: "a week" },
  { hours: 24 * 32, title: "a month" },
] as const;
/** Rows drawn at once. */
const ROWS_COUNT = 20;

/** The volumes that nobody has made a snapshot of for too long. */
export function OverdueVolumes({ rows }: { readonly rows: readonly SnapshotRow[] }) {
  const { client } = useConsole();
  const [hours, setHours] = useState<number>(26);
  const volumes = latestOfVolumes(rows);
  const nowMs = client.clock.nowMs();
  const overdue = volumes.filter(({ latest }) => {
    return nowMs - Date.parse(latest.snapshot.StartTime) > hours * MS_PER_HOUR;
  });
  return (
    <section aria-labelledby="overdue-heading">
      <div class="heading">
        <h2 id="overdue-heading">Volumes without a recent snapshot</h2>
        <label class="inline">
          Older than
          <select
            value={String(hours)}
            onChange={(event) => setHours(Number(event.currentTarget.value))}
          >
            {CHOICES.map((choice) => (
              <option key={choice.hours} value={String(choice.hours)}>
                {choice.title}
              </option>
            ))}
          </select>
        </label>
      </div>
      {overdue.length === 0 ? (
        <p class="empty good-news">
          {volumes.length === 0
            ? "No snapshot is completed yet."
            : `All of ${counted(volumes.length, "volume")} have one.`}
        </p>
      ) : (
        <VolumeTable volumes={overdue.slice(0, ROWS_COUNT)} nowMs={nowMs} />
      )}
      {overdue.length > ROWS_COUNT ? (
        <p class="quiet">and {counted(overdue.length - ROWS_COUNT, "more", "more")}</p>
      ) : null}
      <p class="quiet">
        Snapshots of one volume, or of one lineage where no volume is known, are looked at together.
      </p>
    </section>
  );
}

function VolumeTable(props: { readonly volumes: readonly VolumeRow[]; readonly nowMs: number }) {
  return (
    <table class="stacked">
      <thead>
        <tr>
          <th scope="col">Last snapshot</th>
          <th scope="col">Started</th>
          <th scope="col">Age</th>
          <th scope="col">Snapshots</th>
          <th scope="col">Tags</th>
        </tr>
      </thead>
      <tbody>
        {props.volumes.map(({ volume, latest, count }) => (
          <tr key={volume}>
            <th scope="row">
              <a class="id" href={snapshotHref(latest.id)}>
                {latest.id}
              </a>
              <span class="description">{latest.snapshot.Description}</span>
            </th>
            <td data-label="Started">{formatTime(latest.snapshot.StartTime)}</td>
            <td data-label="Age">
              {formatAge(props.nowMs - Date.parse(latest.snapshot.StartTime))}
            </td>
            <td data-label="Snapshots">{count}</td>
            <td>
              <Tags tags={latest.snapshot.Tags} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
