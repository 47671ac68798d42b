import { type AuditEntry, type Client, listAuditEntries } from "../client/browser.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { formatTime } from "./format.ts";
import { ifAllowed } from "./if-allowed.ts";
import { Verified } from "./snapshot-cells.tsx";
import type { SnapshotRow } from "./snapshot-rows.ts";

/** Entries of the audit log that are looked through. */
const LOOKED_THROUGH_COUNT = 1_000;
/** Calls that follow one another so soon are steps of one verification. */
const STEP_MS_MAX = 60_000;
/** Verifications told of. */
const SHOWN_COUNT = 5;

/** How a snapshot was found when it was read again, and who had that done. */
export function Verifications({ row }: { readonly row: SnapshotRow }) {
  const { client } = useConsole();
  const key = `${row.id} ${row.verification?.VerificationTime}`;
  const loaded = useLoad(key, (signal) => ifAllowed(findCalls(client, row.id, signal), undefined));
  const calls = loaded.value ?? [];
  return (
    <section aria-labelledby="verifications-heading">
      <h2 id="verifications-heading">Verifications</h2>
      <p>
        Latest: <Verified verification={row.verification} />
      </p>
      {row.verification === undefined ? (
        <p class="quiet">Verify reads all of it again, from its root to its blocks.</p>
      ) : null}
      {calls.length > 0 ? (
        <ul class="plain">
          {calls.slice(0, SHOWN_COUNT).map(({ RequestId, Time, AccessKeyId, Outcome }) => (
            <li key={RequestId}>
              {formatTime(Time)} by <code class="id">{AccessKeyId}</code>
              {Outcome === "Done" ? "" : `, ${Outcome.toLowerCase()}`}
            </li>
          ))}
        </ul>
      ) : null}
      {calls.length > SHOWN_COUNT ? (
        <p class="quiet">and {calls.length - SHOWN_COUNT} before</p>
      ) : null}
    </section>
  );
}

/** The last call of each verification that the audit log tells of; the latest first. */
async function findCalls(
  client: Client,
  id: string,
  signal: AbortSignal,
): Promise<readonly AuditEntry[]> {
  const input = { MaxResults: LOOKED_THROUGH_COUNT };
  const { Entries } = await listAuditEntries(client, input, { signal });
  const calls = Entries.filter(({ Action, Resources }) => {
    return Action === "VerifySnapshot" && Resources.includes(id);
  });
  return calls.filter((call, at) => {
    const later = calls[at - 1];
    return (
      later?.AccessKeyId !== call.AccessKeyId ||
      Date.parse(later.Time) - Date.parse(call.Time) > STEP_MS_MAX
    );
  });
}
