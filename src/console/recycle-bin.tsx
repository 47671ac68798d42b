import { useState } from "preact/hooks";
import {
  type Client,
  type RecycledSnapshotDescription,
  recycledSnapshotsOf,
  restoreSnapshot,
} from "../client/browser.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { Failure } from "./failure.tsx";
import { formatTime } from "./format.ts";
import { ifAllowed } from "./if-allowed.ts";

/** Deleted snapshots that can still be had back. */
export function RecycleBin() {
  const { client, report } = useConsole();
  const loaded = useLoad("recycle bin", (signal) => {
    return ifAllowed(loadRecycled(client, signal), "denied" as const);
  });
  const [outcome, setOutcome] = useState("");
  const [failure, setFailure] = useState("");
  const restore = async (id: string) => {
    setFailure("");
    setOutcome("");
    try {
      await restoreSnapshot(client, id);
      setOutcome(`${id} is back.`);
      loaded.reload();
    } catch (error) {
      setFailure(report(error));
    }
  };
  const recycled = loaded.value;
  return (
    <section aria-labelledby="bin-heading">
      <h2 id="bin-heading">Recycle bin</h2>
      <Failure text={loaded.error} />
      {recycled === "denied" ? <p class="empty">Your policy does not let you see it.</p> : null}
      {recycled?.length === 0 ? (
        <p class="empty">
          Empty. Started with <code>varve serve --recycle-bin-days 7</code>, the service keeps what
          is deleted that long.
        </p>
      ) : null}
      {recycled !== undefined && recycled !== "denied" && recycled.length > 0 ? (
        <table class="stacked">
          <thead>
            <tr>
              <th scope="col">Snapshot</th>
              <th scope="col">Deleted</th>
              <th scope="col">Gone for good</th>
              <th scope="col">Change</th>
            </tr>
          </thead>
          <tbody>
            {recycled.map((each) => (
              <tr key={each.SnapshotId}>
                <th scope="row">
                  <code class="id">{each.SnapshotId}</code>
                  <span class="description">{each.Description}</span>
                </th>
                <td data-label="Deleted">{formatTime(each.RecycleBinEnterTime)}</td>
                <td data-label="Gone for good">{formatTime(each.RecycleBinExitTime)}</td>
                <td>
                  <button
                    type="button"
                    aria-label={`Restore ${each.SnapshotId}`}
                    onClick={() => void restore(each.SnapshotId)}
                  >
                    Restore
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      <p role="status">{outcome}</p>
      <Failure text={failure} />
    </section>
  );
}

async function loadRecycled(
  client: Client,
  signal: AbortSignal,
): Promise<readonly RecycledSnapshotDescription[]> {
  const found: RecycledSnapshotDescription[] = [];
  for await (const each of recycledSnapshotsOf(client, { signal })) found.push(each);
  return found;
}
