import { useState } from "preact/hooks";
import { systemClock } from "../base/clock.ts";
import {
  type Client,
  type CollectionDescription,
  getCollection,
  type StoreStatus,
  scrubStore,
  startCollection,
  stopCollection,
} from "../client/browser.ts";
import { COLLECT_GRACE_SECONDS_DEFAULT } from "../model/limits.ts";
import { useConsole } from "./console-context.ts";
import { Dialog } from "./dialog.tsx";
import { Fact } from "./fact.tsx";
import { counted, formatBytes, formatTime } from "./format.ts";
import type { TaskControls } from "./task-board.ts";

/** How often a collection is asked how it stands. */
const LOOK_MS = 1_000;
const GRACE_HOURS_DEFAULT = COLLECT_GRACE_SECONDS_DEFAULT / 3_600;

/** What those who manage the store can begin: collecting and scrubbing. */
export function StoreTasks(props: {
  readonly status: StoreStatus;
  readonly onChanged: () => void;
}) {
  const { client, report, tasks } = useConsole();
  const [isAsked, setIsAsked] = useState(false);
  const { LastCollection: last, Scrub } = props.status;
  const begin = (title: string, work: (controls: TaskControls) => Promise<string>) => {
    tasks
      .run(title, work)
      .catch(report)
      .finally(() => props.onChanged());
  };
  const collect = (form: FormData) => {
    setIsAsked(false);
    const isDryRun = form.get("dryRun") !== null;
    const graceSeconds = Number(form.get("graceHours")) * 3_600;
    begin(isDryRun ? "Collect, to see what it would do" : "Collect garbage", (controls) =>
      collectGarbage(client, { isDryRun, graceSeconds }, controls),
    );
  };
  return (
    <section aria-labelledby="store-tasks">
      <h2 id="store-tasks">The store</h2>
      <dl class="facts">
        <Fact name="Last collection">{last === null ? "none yet" : lastText(last)}</Fact>
        <Fact name="All read again since">{formatTime(Scrub.VerifiedSince ?? "")}</Fact>
        <Fact name="Damaged records">
          <span class={Scrub.DamagedRecordCount > 0 ? "failure" : ""}>
            {Scrub.DamagedRecordCount}
          </span>
        </Fact>
      </dl>
      <div class="bulk">
        <button type="button" onClick={() => setIsAsked(true)}>
          Collect …
        </button>
        <button type="button" onClick={() => begin("Scrub", (controls) => scrub(client, controls))}>
          Scrub
        </button>
        <span class="quiet">The service does both by itself; this does them now.</span>
      </div>
      {isAsked ? <CollectDialog onCancel={() => setIsAsked(false)} onConfirm={collect} /> : null}
    </section>
  );
}

function lastText({ Time, RemovedRecords, RemovedBytes }: LastCollection): string {
  if (RemovedBytes === null) return formatTime(Time);
  const records = counted(RemovedRecords ?? 0, "record");
  return `${formatTime(Time)}, ${records} removed (${formatBytes(RemovedBytes)})`;
}

type LastCollection = NonNullable<StoreStatus["LastCollection"]>;

function CollectDialog(props: {
  readonly onCancel: () => void;
  readonly onConfirm: (form: FormData) => void;
}) {
  return (
    <Dialog
      title="Collect garbage?"
      action="Collect"
      onCancel={props.onCancel}
      onConfirm={props.onConfirm}
    >
      <p>
        Removes records that nothing needs any more, and gives segments back to the disk. No
        snapshot is touched.
      </p>
      <label>
        Grace, in hours
        <input
          name="graceHours"
          type="number"
          min={0}
          max={720}
          defaultValue={String(GRACE_HOURS_DEFAULT)}
          required
        />
      </label>
      <label class="check">
        <input name="dryRun" type="checkbox" />
        Only say what it would do
      </label>
    </Dialog>
  );
}

async function collectGarbage(
  client: Client,
  how: { readonly isDryRun: boolean; readonly graceSeconds: number },
  { signal, onProgress }: TaskControls,
): Promise<string> {
  const input = { DryRun: how.isDryRun, GraceSeconds: how.graceSeconds };
  let collection = await startCollection(client, input);
  const { CollectionId: id } = collection;
  let isStopped = false;
  while (collection.State === "Running") {
    onProgress(0, 0, isStopped ? "stopping …" : "running");
    // What it does between two pages is not cut short; it says itself when it has ended.
    await systemClock.sleep(LOOK_MS);
    if (signal.aborted && !isStopped) {
      isStopped = true;
      await stopCollection(client, id);
    }
    collection = await getCollection(client, id);
  }
  return outcomeOf(collection, how.isDryRun);
}

function outcomeOf(collection: CollectionDescription, isDryRun: boolean): string {
  const { State, Message, Result = {} } = collection;
  if (State === "Failed") throw new Error(Message ?? "it failed");
  const of = (name: string) => Result[name] ?? 0;
  const removed = isDryRun ? "would be removed" : "removed";
  const records = counted(of("Removed"), "record");
  const freed = formatBytes(of("SegmentBytes"));
  return (
    `${records} ${removed} (${formatBytes(of("RemovedBytes"))}), ` +
    `${counted(of("Doomed"), "record")} found for the first time, ${freed} given back` +
    (Message ? `. ${Message}` : "")
  );
}

async function scrub(client: Client, { signal, onProgress }: TaskControls): Promise<string> {
  const result = await scrubStore(client, {
    signal,
    onProgress: ({ bytesDone, bytesTotal }) =>
      onProgress(bytesDone, bytesTotal, `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`),
  });
  const { recordsVerified, bytesVerified, damagedRecordCount, catalogFaults } = result;
  const read = `${counted(recordsVerified, "record")} read (${formatBytes(bytesVerified)})`;
  const faults = catalogFaults.length > 0 ? `, the catalog: ${catalogFaults.join("; ")}` : "";
  return `${read}, ${damagedRecordCount} damaged${faults}`;
}
