import { useState } from "preact/hooks";
import { formatTimeMs } from "../base/clock.ts";
import {
  deleteSnapshot,
  isEmptyRules,
  type KeepRules,
  type PruneDecision,
  type PrunedSnapshot,
  type PruneGrouping,
  type PruneResult,
  pruneSnapshots,
} from "../client/browser.ts";
import { type ConsoleParts, useConsole } from "./console-context.ts";
import { CopyButton } from "./copy-button.tsx";
import { Dialog } from "./dialog.tsx";
import { eachSnapshot } from "./each-snapshot.ts";
import { Failure } from "./failure.tsx";
import { counted, formatTime } from "./format.ts";
import { snapshotHref } from "./route.ts";
import type { TaskControls } from "./task-board.ts";

const COUNTS = [
  { name: "last", title: "Latest", value: 3 },
  { name: "hourly", title: "Hourly", value: 0 },
  { name: "daily", title: "Daily", value: 7 },
  { name: "weekly", title: "Weekly", value: 4 },
  { name: "monthly", title: "Monthly", value: 12 },
  { name: "yearly", title: "Yearly", value: 0 },
] as const;

/** As many as anybody keeps: a bound against a slip of the finger. */
const KEEP_COUNT_MAX = 9_999;

/** A policy of what to keep. */
interface Policy {
  readonly rules: KeepRules;
  readonly grouping: PruneGrouping;
}

/** Answers what failed, in words; "" where nothing did. */
async function deleteAll(
  { client, report, tasks }: ConsoleParts,
  ids: readonly string[],
): Promise<string> {
  const each = (id: string, signal: AbortSignal) => deleteSnapshot(client, id, { signal });
  const work = (controls: TaskControls) =>
    eachSnapshot({ report, controls }, ids, { done: "deleted", each });
  return tasks.run(`Prune ${counted(ids.length, "snapshot")}`, work).then(
    () => "",
    (error: unknown) => (error as Error).message,
  );
}

/** Shows what keep rules would keep and delete, and why; deletes it when told to. */
export function PruneSimulator() {
  const parts = useConsole();
  const { client, report } = parts;
  const [policy, setPolicy] = useState<Policy>();
  const [result, setResult] = useState<PruneResult>();
  const [failure, setFailure] = useState("");
  const [isAsked, setIsAsked] = useState(false);
  const [isBusy, setIsBusy] = useState(false);
  const simulate = async (wanted: Policy) => {
    setFailure("");
    setResult(undefined);
    setPolicy(wanted);
    if (isEmptyRules(wanted.rules)) {
      return setFailure("These rules keep nothing: give a number above 0, or a tag that keeps.");
    }
    setIsBusy(true);
    try {
      setResult(await pruneSnapshots(client, { ...wanted, timeZone: "UTC", dryRun: true }));
    } catch (error) {
      setFailure(report(error));
    }
    setIsBusy(false);
  };
  const doomed = (result?.decisions ?? []).filter(({ action }) => action === "delete");
  const prune = async () => {
    setIsAsked(false);
    setIsBusy(true);
    // Just what was shown and confirmed, whatever else has come since.
    const ids = doomed.map(({ snapshot }) => snapshot.snapshotId);
    const failed = await deleteAll(parts, ids);
    if (policy) await simulate(policy);
    if (failed !== "") setFailure(failed);
  };
  return (
    <section aria-labelledby="prune-heading">
      <h2 id="prune-heading">Prune</h2>
      <p class="quiet">
        Each rule keeps the latest snapshot of so many hours, days, weeks, months or years; what any
        rule keeps is kept. Nothing is deleted before you have seen the list and said so.
      </p>
      <RulesForm isBusy={isBusy} onSimulate={(wanted) => void simulate(wanted)} />
      <Failure text={failure} />
      {policy && result ? (
        <>
          <Outcome result={result} policy={policy} />
          <div class="bulk">
            <button
              type="button"
              class="danger"
              disabled={isBusy || doomed.length === 0}
              onClick={() => setIsAsked(true)}
            >
              Delete {counted(doomed.length, "snapshot")} …
            </button>
          </div>
          <Decisions decisions={result.decisions} />
        </>
      ) : null}
      {isAsked ? (
        <DeleteDialog
          count={doomed.length}
          onCancel={() => setIsAsked(false)}
          onConfirm={() => void prune()}
        />
      ) : null}
    </section>
  );
}

function DeleteDialog(props: {
  readonly count: number;
  readonly onCancel: () => void;
  readonly onConfirm: () => void;
}) {
  const what = `Delete ${counted(props.count, "snapshot")}`;
  return (
    <Dialog
      title={`${what}?`}
      action={what}
      isDangerous
      onCancel={props.onCancel}
      onConfirm={props.onConfirm}
    >
      <p>
        These are the snapshots that the list says no rule keeps. What was only in them is gone,
        unless the service keeps a recycle bin; those that descend from them keep their contents.
      </p>
    </Dialog>
  );
}

function RulesForm(props: {
  readonly isBusy: boolean;
  readonly onSimulate: (policy: Policy) => void;
}) {
  const [by, setBy] = useState<PruneGrouping["by"]>("volume");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(data.get(name) ?? "").trim();
    const counts = Object.fromEntries(COUNTS.map(({ name }) => [name, Number(text(name))]));
    const tags = text("keepTag") === "" ? [] : [tagOf(text("keepTag"))];
    const grouping = by === "tag" ? { by, key: text("groupTag") } : { by };
    props.onSimulate({ rules: { ...counts, tags }, grouping });
  };
  return (
    <form onSubmit={submit}>
      <div class="fields rules">
        {COUNTS.map(({ name, title, value }) => (
          <label key={name}>
            {title}
            <input
              name={name}
              type="number"
              min={0}
              max={KEEP_COUNT_MAX}
              defaultValue={String(value)}
              required
            />
          </label>
        ))}
        <label>
          Tag that keeps
          <input name="keepTag" placeholder="Key or Key=Value" size={14} />
        </label>
        <label>
          Apart by
          <select
            value={by}
            onChange={(event) => setBy(event.currentTarget.value as PruneGrouping["by"])}
          >
            <option value="volume">volume, or lineage</option>
            <option value="tag">a tag's value</option>
            <option value="none">nothing: all together</option>
          </select>
        </label>
        {by === "tag" ? (
          <label>
            Tag
            <input name="groupTag" required maxLength={128} size={10} />
          </label>
        ) : null}
        <button type="submit" class="primary" disabled={props.isBusy}>
          Simulate
        </button>
      </div>
    </form>
  );
}

function tagOf(text: string): { Key: string; Value?: string } {
  const mark = text.indexOf("=");
  return mark < 0 ? { Key: text } : { Key: text.slice(0, mark), Value: text.slice(mark + 1) };
}

function Outcome({ result, policy }: { readonly result: PruneResult; readonly policy: Policy }) {
  const countOf = (wanted: PruneDecision["action"]) =>
    result.decisions.filter(({ action }) => action === wanted).length;
  const command = commandOf(policy);
  const { ungrouped, holdsUnknown } = result;
  return (
    <>
      <p role="status" class="summary">
        <strong>
          {countOf("keep")} kept, {countOf("delete")} to delete, {countOf("held")} held
        </strong>
        {ungrouped.length > 0 ? `; ${ungrouped.length} without the tag are left alone` : ""}
        {holdsUnknown.length > 0 ? "; locks or images are not known to this key" : ""}
      </p>
      <ul class="commands">
        <li>
          <code>{command}</code>
          <CopyButton text={command} what={command} />
        </li>
      </ul>
    </>
  );
}

/** The same by the command line. */
function commandOf({ rules, grouping }: Policy): string {
  const counts = COUNTS.flatMap(({ name }) => {
    const count = rules[name] ?? 0;
    return count > 0 ? [`--keep-${name} ${count}`] : [];
  });
  const tags = (rules.tags ?? []).map(({ Key, Value }) => {
    return `--keep-tag ${Value === undefined ? Key : `${Key}=${Value}`}`;
  });
  const by = grouping.by === "tag" ? `tag:${grouping.key}` : grouping.by;
  const group = grouping.by === "volume" ? [] : [`--group-by ${by}`];
  return ["varve prune", ...counts, ...tags, ...group, "--dry-run"].join(" ");
}

/** Rows drawn at once. */
const ROWS_COUNT = 200;

function Decisions(props: { readonly decisions: readonly PruneDecision<PrunedSnapshot>[] }) {
  const [shownCount, setShownCount] = useState(ROWS_COUNT);
  const latestFirst = props.decisions.toReversed();
  return (
    <>
      <table class="stacked">
        <thead>
          <tr>
            <th scope="col">Snapshot</th>
            <th scope="col">Started</th>
            <th scope="col">What becomes of it</th>
            <th scope="col">Because of</th>
          </tr>
        </thead>
        <tbody>
          {latestFirst.slice(0, shownCount).map(({ snapshot, action, reasons }) => (
            <tr key={snapshot.snapshotId} class={`decision ${action}`}>
              <th scope="row">
                <a class="id" href={snapshotHref(snapshot.snapshotId)}>
                  {snapshot.snapshotId}
                </a>
                <span class="description">{snapshot.description.Description}</span>
              </th>
              <td data-label="Started">{formatTime(formatTimeMs(snapshot.startTimeMs))}</td>
              <td data-label="What becomes of it">
                <span class={`state ${MARKS[action]}`}>{WORDS[action]}</span>
              </td>
              <td data-label="Because of">{reasons.join(", ")}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {latestFirst.length > shownCount ? (
        <button type="button" onClick={() => setShownCount(shownCount + ROWS_COUNT)}>
          Show more of {counted(latestFirst.length, "snapshot")}
        </button>
      ) : null}
    </>
  );
}

const WORDS: Readonly<Record<PruneDecision["action"], string>> = {
  keep: "kept",
  delete: "to delete",
  held: "held",
};
const MARKS: Readonly<Record<PruneDecision["action"], string>> = {
  keep: "completed",
  delete: "error",
  held: "pending",
};
