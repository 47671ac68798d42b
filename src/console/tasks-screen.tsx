import { useRef } from "preact/hooks";
import {
  type Client,
  describeSnapshots,
  getSnapshotProgress,
  getStoreStatus,
  isSnapshotNotFound,
  type SnapshotDescription,
  type SnapshotProgress,
  type StoreStatus,
  snapshotsOf,
  type TaskDescription,
} from "../client/browser.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { Failure } from "./failure.tsx";
import { counted, formatBytes, formatCount, formatTime } from "./format.ts";
import { ifAllowed } from "./if-allowed.ts";
import { snapshotHref } from "./route.ts";
import { StoreTasks } from "./store-tasks.tsx";
import { TabTasks, TaskLog } from "./tab-tasks.tsx";
import type { TaskBoard } from "./task-board.ts";

/** How often what goes on is looked at. */
const AGAIN_MS = 2_000;
/** Pending snapshots whose progress is asked for; of more it is only said that they are there. */
const LOOKED_AT_COUNT_MAX = 25;

/** What goes on: uploads, copies, collections, scrubs and verifications, and what has happened. */
export function TasksScreen() {
  const { client, tasks } = useConsole();
  const before = useRef<UnderWay | undefined>(undefined);
  const loaded = useLoad(
    "tasks",
    async (signal) => {
      const now = await loadUnderWay(client, before.current, signal);
      await noteEnded(client, { before: before.current, now, board: tasks });
      before.current = now;
      return now;
    },
    { againAfterMs: () => AGAIN_MS },
  );
  const { value } = loaded;
  return (
    <>
      <div class="heading">
        <h1>Tasks</h1>
        <span class="quiet">looked at every 2 seconds while this tab is seen</span>
      </div>
      <Failure text={loaded.error} />
      <section aria-labelledby="under-way">
        <h2 id="under-way">Under way</h2>
        {value ? <UnderWayTable value={value} /> : <p class="quiet">Loading …</p>}
      </section>
      <TabTasks />
      {value?.status ? <StoreTasks status={value.status} onChanged={loaded.reload} /> : null}
      <TaskLog />
    </>
  );
}

/** A pending snapshot and how far it is. */
interface PendingSnapshot {
  readonly snapshot: SnapshotDescription;
  readonly progress: SnapshotProgress | undefined;
  /** Blocks a second since the look before; undefined at the first. */
  readonly blocksPerSecond: number | undefined;
}

interface UnderWay {
  readonly atMs: number;
  readonly pending: readonly PendingSnapshot[];
  /** Undefined for those who do not manage the store. */
  readonly status: StoreStatus | undefined;
}

async function loadUnderWay(
  client: Client,
  before: UnderWay | undefined,
  signal: AbortSignal,
): Promise<UnderWay> {
  const [status, found] = await Promise.all([
    ifAllowed(getStoreStatus(client, { signal }), undefined),
    findPending(client, signal),
  ]);
  const atMs = client.clock.monotonicMs();
  const pending = await Promise.all(
    found.map(async (snapshot, at) => {
      if (at >= LOOKED_AT_COUNT_MAX) {
        return { snapshot, progress: undefined, blocksPerSecond: undefined };
      }
      const { SnapshotId } = snapshot;
      const progress = await progressOf(client, SnapshotId, signal);
      const earlier = before?.pending.find((each) => each.snapshot.SnapshotId === SnapshotId);
      const blocksPerSecond =
        before && progress && earlier?.progress
          ? (progress.blocksDone - earlier.progress.blocksDone) / ((atMs - before.atMs) / 1_000)
          : undefined;
      return { snapshot, progress, blocksPerSecond };
    }),
  );
  return { atMs, pending, status };
}

/** Undefined for one that was deleted since it was found. */
async function progressOf(
  client: Client,
  id: string,
  signal: AbortSignal,
): Promise<SnapshotProgress | undefined> {
  try {
    return await getSnapshotProgress(client, id, { signal });
  } catch (error) {
    if (isSnapshotNotFound(error)) return undefined;
    throw error;
  }
}

async function findPending(client: Client, signal: AbortSignal): Promise<SnapshotDescription[]> {
  const Filters = [{ Name: "status", Values: ["pending"] }];
  const own = { OwnerIds: ["self"], Filters, MaxResults: 1_000 };
  const found: SnapshotDescription[] = [];
  for await (const each of snapshotsOf(client, own, { signal })) found.push(each);
  return found;
}

/** Says in the log what became of snapshots that are pending no more. */
async function noteEnded(
  client: Client,
  { before, now, board }: { before: UnderWay | undefined; now: UnderWay; board: TaskBoard },
): Promise<void> {
  const idsOf = ({ pending }: UnderWay) => pending.map(({ snapshot }) => snapshot.SnapshotId);
  const then = before ? idsOf(before) : [];
  const current = idsOf(now);
  for (const id of current.filter((each) => before && !then.includes(each))) {
    board.note(`${id}: begun`);
  }
  for (const id of then.filter((each) => !current.includes(each))) {
    // One that was deleted is not found; that it is gone is all there is to say.
    const { Snapshots } = await describeSnapshots(client, {
      Filters: [{ Name: "snapshot-id", Values: [id] }],
    });
    const [snapshot] = Snapshots;
    const { State = "deleted", StateMessage = "" } = snapshot ?? {};
    board.note(`${id}: ${State} ${StateMessage}`.trimEnd(), State === "error");
  }
}

function UnderWayTable({ value }: { readonly value: UnderWay }) {
  const { pending, status } = value;
  const own = new Set(pending.map(({ snapshot }) => snapshot.SnapshotId));
  const others = (status?.Tasks ?? []).filter(({ Id }) => !own.has(Id));
  if (pending.length === 0 && others.length === 0) {
    return (
      <p class="empty">
        Nothing. <code>varve upload IMAGE</code> begins a snapshot; it is shown here while it is
        written.
      </p>
    );
  }
  return (
    <table class="tasks">
      <thead>
        <tr>
          <th scope="col">What</th>
          <th scope="col">Progress</th>
          <th scope="col" class="number">
            Rate
          </th>
          <th scope="col">Since</th>
        </tr>
      </thead>
      <tbody>
        {pending.map((each) => (
          <PendingRow key={each.snapshot.SnapshotId} each={each} />
        ))}
        {others.map((task) => (
          <TaskRow key={`${task.Kind} ${task.Id}`} task={task} />
        ))}
      </tbody>
    </table>
  );
}

const STAGES: Readonly<Record<SnapshotProgress["stage"], string>> = {
  writing: "Upload",
  sealing: "Sealing",
  copying: "Copy",
  completed: "Completed",
  error: "In error",
};

function PendingRow({ each }: { readonly each: PendingSnapshot }) {
  const { snapshot, progress, blocksPerSecond } = each;
  const { SnapshotId: id, StartTime, Description, VolumeSize } = snapshot;
  const rate = (blocksPerSecond ?? 0) * BLOCK_SIZE_BYTES;
  return (
    <tr>
      <th scope="row">
        {progress ? STAGES[progress.stage] : "Pending"}{" "}
        <a class="id" href={snapshotHref(id)}>
          {id}
        </a>
        <span class="description">
          {Description ? `${Description}, ` : ""}
          {VolumeSize} GiB
        </span>
      </th>
      <td data-label="Progress">{progress ? <SnapshotBar id={id} progress={progress} /> : "–"}</td>
      <td class="number" data-label="Rate">
        {blocksPerSecond === undefined ? "–" : `${formatBytes(rate)}/s`}
      </td>
      <td data-label="Since">{formatTime(StartTime)}</td>
    </tr>
  );
}

function SnapshotBar(props: { readonly id: string; readonly progress: SnapshotProgress }) {
  const { blocksDone, blocksTotal, isCounted, stage } = props.progress;
  const more = isCounted ? "" : "more than ";
  const size = formatBytes(blocksDone * BLOCK_SIZE_BYTES);
  if (blocksTotal === undefined || blocksTotal <= 0) {
    return (
      <span>
        {more}
        {counted(blocksDone, "block")} written ({size})
      </span>
    );
  }
  const what = stage === "copying" ? "of the volume looked through" : "of the blocks written";
  return <Bar label={`${props.id}: ${what}`} done={blocksDone} total={blocksTotal} />;
}

/** How far something is, as a bar and in figures. */
function Bar(props: { readonly label: string; readonly done: number; readonly total: number }) {
  const { label, done, total } = props;
  const percent = Math.floor((100 * done) / Math.max(1, total));
  return (
    <span class="bar">
      <progress aria-label={label} max={total} value={done} />
      <span>
        {percent} % ({formatCount(done)} of {formatCount(total)})
      </span>
    </span>
  );
}

function TaskRow({ task }: { readonly task: TaskDescription }) {
  const { Kind, Id, StartTime, Done, Total, Unit, IsOfProcess } = task;
  const amount = (count: number) => (Unit === "bytes" ? formatBytes(count) : formatCount(count));
  return (
    <tr>
      <th scope="row">
        {Kind} {Id.startsWith("snap-") ? <code class="id">{Id}</code> : null}
        {IsOfProcess ? null : <span class="description">perhaps by another process</span>}
      </th>
      <td data-label="Progress">
        {Done !== null && Total !== null && Total > 0 ? (
          <Bar label={`${Kind} ${Id}`} done={Done} total={Total} />
        ) : Done === null ? (
          "under way"
        ) : (
          `${amount(Done)} ${Unit === "bytes" ? "" : Unit}`
        )}
      </td>
      <td class="number" data-label="Rate">
        –
      </td>
      <td data-label="Since">{StartTime === null ? "–" : formatTime(StartTime)}</td>
    </tr>
  );
}
