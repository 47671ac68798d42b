import { useState } from "preact/hooks";
import { type AuditEntry, type Client, listAuditEntries } from "../client/browser.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { Failure } from "./failure.tsx";
import { counted, formatTime } from "./format.ts";
import { ifAllowed } from "./if-allowed.ts";
import { snapshotHref } from "./route.ts";

/** Entries on a page. */
const PAGE_COUNT = 1_000;
/** How often the latest page is looked at again. */
const AGAIN_MS = 5_000;

/** Actions that change nothing; the console makes many of them. */
const ONLY_LOOKS =
  /^(Describe|List|Locate|Get(?!SnapshotBlock$|SessionToken|FederationToken)|Simulate)/;

type Outcome = AuditEntry["Outcome"] | "";

/** Which entries are wanted. */
interface Wanted {
  /** "" for all. */
  readonly text: string;
  readonly outcome: Outcome;
  /** True for what changes nothing, too. */
  readonly isAll: boolean;
}

/** Who did what, the latest first. */
export function AuditLog() {
  const { client } = useConsole();
  const [pages, setPages] = useState(1);
  const loaded = useLoad(
    `audit ${pages}`,
    (signal) => ifAllowed(loadEntries(client, pages, signal), undefined),
    { againAfterMs: (log) => (log?.isKept && pages === 1 ? AGAIN_MS : undefined) },
  );
  const log = loaded.value;
  if (log === undefined && !loaded.isLoading && loaded.error === undefined) {
    return <p class="empty">It is told to access keys without a policy of the first account.</p>;
  }
  return (
    <section aria-labelledby="audit-heading">
      <h2 id="audit-heading">Audit log</h2>
      <Failure text={loaded.error} />
      {log && !log.isKept ? (
        <p class="empty">
          The service keeps none. Start it with <code>varve serve --audit FILE</code> and every
          management call is written there before it is answered.
        </p>
      ) : null}
      {log?.isKept ? <Entries log={log} /> : null}
      {log?.isKept && log.isMore ? (
        <button type="button" disabled={loaded.isLoading} onClick={() => setPages(pages + 1)}>
          Show older ones
        </button>
      ) : null}
    </section>
  );
}

function Entries({ log }: { readonly log: Log }) {
  const [wanted, setWanted] = useState<Wanted>({ text: "", outcome: "", isAll: false });
  const entries = log.entries.filter((entry) => isWanted(entry, wanted));
  const change = (part: Partial<Wanted>) => setWanted({ ...wanted, ...part });
  return (
    <>
      <search class="filters">
        <label>
          Search
          <input
            type="search"
            placeholder="action, key, address, snapshot …"
            value={wanted.text}
            onInput={(event) => change({ text: event.currentTarget.value })}
          />
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={wanted.isAll}
            onChange={(event) => change({ isAll: event.currentTarget.checked })}
          />
          Also what only looks
        </label>
        <label>
          Outcome
          <select
            value={wanted.outcome}
            onChange={(event) => change({ outcome: event.currentTarget.value as Outcome })}
          >
            <option value="">any</option>
            <option value="Done">done</option>
            <option value="Refused">refused</option>
            <option value="Failed">failed</option>
          </select>
        </label>
      </search>
      <p class="quiet" role="status">
        {entries.length === log.entries.length
          ? counted(entries.length, "entry", "entries")
          : `${entries.length} of ${counted(log.entries.length, "entry", "entries")}`}
        {log.isMore ? ", of the latest that there are" : ""}
      </p>
      <EntryTable entries={entries} />
    </>
  );
}

function isWanted(entry: AuditEntry, { text, outcome, isAll }: Wanted): boolean {
  const isLook = entry.Outcome === "Done" && ONLY_LOOKS.test(entry.Action ?? "");
  if ((!isAll && isLook) || (outcome !== "" && entry.Outcome !== outcome)) return false;
  return wordsOf(entry).includes(text.trim().toLowerCase());
}

type Log = Awaited<ReturnType<typeof loadEntries>>;

async function loadEntries(client: Client, pages: number, signal: AbortSignal) {
  const entries: AuditEntry[] = [];
  let [NextToken, isKept, isMore]: [string | undefined, boolean, boolean] = [undefined, true, true];
  for (let page = 0; page < pages && isMore; page++) {
    const input = { MaxResults: PAGE_COUNT, NextToken };
    const found = await listAuditEntries(client, input, { signal });
    entries.push(...found.Entries);
    isKept = found.IsKept;
    isMore = found.NextToken !== null;
    NextToken = found.NextToken ?? undefined;
  }
  return { entries, isKept, isMore };
}

function wordsOf(entry: AuditEntry): string {
  const { Action, Service, AccountId, AccessKeyId, Arn, SourceIp, ErrorCode, RequestId } = entry;
  const words = [Action, Service, AccountId, AccessKeyId, Arn, SourceIp, ErrorCode, RequestId];
  return [...words, ...entry.Resources].join("\n").toLowerCase();
}

function EntryTable({ entries }: { readonly entries: readonly AuditEntry[] }) {
  return (
    <table class="stacked">
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col">Action</th>
          <th scope="col">On</th>
          <th scope="col">By</th>
          <th scope="col">From</th>
          <th scope="col">Outcome</th>
        </tr>
      </thead>
      <tbody>
        {entries.map((entry) => (
          <Entry key={entry.RequestId} entry={entry} />
        ))}
      </tbody>
    </table>
  );
}

function Entry({ entry }: { readonly entry: AuditEntry }) {
  const { Time, Service, Action, Resources, AccessKeyId, AccountId, SourceIp } = entry;
  const { Outcome, Status, ErrorCode, UnnotedCount } = entry;
  return (
    <tr>
      <td data-label="Time">{formatTime(Time)}</td>
      <th scope="row">
        {Service}:{Action ?? "–"}
        {UnnotedCount ? <span class="description">and {UnnotedCount} more like it</span> : null}
      </th>
      <td data-label="On">
        {Resources.length === 0 ? "–" : null}
        {Resources.map((id) => (
          <span key={id} class="resource">
            {id.startsWith("snap-") ? (
              <a class="id" href={snapshotHref(id)}>
                {id}
              </a>
            ) : (
              <code class="id">{id}</code>
            )}
          </span>
        ))}
      </td>
      <td data-label="By">
        <code class="id">{AccessKeyId ?? "nobody"}</code>
        <span class="description">{AccountId ?? "no valid signature"}</span>
      </td>
      <td data-label="From">{SourceIp ?? "–"}</td>
      <td data-label="Outcome">
        <span class={`state ${MARKS[Outcome]}`}>{Outcome.toLowerCase()}</span>
        {Outcome === "Done" ? null : (
          <span class="description">
            {Status} {ErrorCode}
          </span>
        )}
      </td>
    </tr>
  );
}

const MARKS: Readonly<Record<AuditEntry["Outcome"], string>> = {
  Done: "completed",
  Refused: "pending",
  Failed: "error",
};
