import { useState } from "preact/hooks";
import { createTags, deleteSnapshot, verifySnapshot } from "../client/browser.ts";
import { type ConsoleParts, useConsole } from "./console-context.ts";
import { Dialog } from "./dialog.tsx";
import { eachSnapshot } from "./each-snapshot.ts";
import { counted } from "./format.ts";
import { compareHref } from "./route.ts";
import type { SnapshotRow } from "./snapshot-rows.ts";
import type { TaskControls } from "./task-board.ts";

/** Snapshots named in a dialog; beyond that they are counted. */
const NAMED_COUNT = 8;

type Action = "delete" | "tag" | "verify";

/** How a piece of work on several snapshots goes. */
interface Progress {
  readonly action: Action;
  readonly total: number;
  readonly done: number;
  readonly failures: readonly string[];
}

const TITLES: Readonly<Record<Action, string>> = {
  delete: "Delete",
  tag: "Tag",
  verify: "Verify",
};
const DONE: Readonly<Record<Action, string>> = {
  delete: "deleted",
  tag: "tagged",
  verify: "verified",
};

/** Buttons for what was selected, each behind a dialog that says what it does. */
export function BulkActions(props: {
  readonly selected: readonly SnapshotRow[];
  readonly onDone: () => void;
}) {
  const { selected } = props;
  const { client, report, tasks } = useConsole();
  const [asked, setAsked] = useState<Action>();
  const [progress, setProgress] = useState<Progress>();
  const isRunning = progress !== undefined && progress.done < progress.total;

  const run = async (action: Action, form: FormData) => {
    setAsked(undefined);
    const ids = selected.map(({ id }) => id);
    const start = { action, total: ids.length, done: 0, failures: [] };
    setProgress(start);
    const title = `${TITLES[action]} ${counted(ids.length, "snapshot")}`;
    const work = (controls: TaskControls) =>
      eachSnapshot({ report, controls }, ids, {
        done: DONE[action],
        each: (id, signal) => WORK[action]({ client, tasks, signal }, id, form),
        onDone: (done, failures) => setProgress({ ...start, done, failures }),
      });
    // A task of the tab can be seen and stopped when this screen is left. Of verifications each is.
    const ended = action === "verify" ? work(APART) : tasks.run(title, work);
    // What failed is shown below, and on the board; what was stopped has come to its end, too.
    await ended.catch(() => setProgress((now) => now && { ...now, total: now.done }));
    props.onDone();
  };

  const [first, second] = selected.toSorted((a, b) =>
    a.snapshot.StartTime.localeCompare(b.snapshot.StartTime),
  );
  return (
    <div class="bulk">
      <span aria-live="polite">{counted(selected.length, "snapshot")} selected</span>
      {(["verify", "tag", "delete"] as const).map((action) => (
        <button
          key={action}
          type="button"
          class={action === "delete" ? "danger" : ""}
          disabled={isRunning || selected.length === 0}
          onClick={() => setAsked(action)}
        >
          {TITLES[action]} …
        </button>
      ))}
      {first && second && selected.length === 2 ? (
        <a class="button" href={compareHref(first.id, second.id)}>
          Compare
        </a>
      ) : null}
      {progress ? <ProgressText progress={progress} /> : null}
      {asked ? (
        <Dialog
          title={`${TITLES[asked]} ${counted(selected.length, "snapshot")}?`}
          action={`${TITLES[asked]} ${counted(selected.length, "snapshot")}`}
          isDangerous={asked === "delete"}
          onCancel={() => setAsked(undefined)}
          onConfirm={(form) => void run(asked, form)}
        >
          <Question action={asked} selected={selected} />
        </Dialog>
      ) : null}
    </div>
  );
}

/** Of what is no task as a whole. */
const APART: TaskControls = { signal: new AbortController().signal, onProgress: () => undefined };

type Work = (
  parts: Pick<ConsoleParts, "client" | "tasks"> & { readonly signal: AbortSignal },
  id: string,
  form: FormData,
) => Promise<void>;

const WORK: Readonly<Record<Action, Work>> = {
  delete: ({ client, signal }, id) => deleteSnapshot(client, id, { signal }),
  tag: ({ client, signal }, id, form) => {
    const tag = { Key: String(form.get("key")), Value: String(form.get("value") ?? "") };
    return createTags(client, { Resources: [id], Tags: [tag] }, { signal });
  },
  async verify({ client, tasks }, id) {
    await tasks.run(`Verify ${id}`, async ({ signal, onProgress }) => {
      const { outcome, badBlocks, blocksVerified } = await verifySnapshot(client, {
        snapshotId: id,
        signal,
        onProgress: ({ blocksDone, blocksTotal }) => onProgress(blocksDone, blocksTotal, ""),
      });
      if (outcome === "damaged") throw new Error(`${counted(badBlocks, "block")} cannot be read`);
      return `${outcome}: ${counted(blocksVerified, "block")} verified`;
    });
  },
};

function Question(props: { readonly action: Action; readonly selected: readonly SnapshotRow[] }) {
  const { action, selected } = props;
  const more = selected.length - NAMED_COUNT;
  return (
    <>
      <p>{EXPLANATIONS[action]}</p>
      <ul class="names">
        {selected.slice(0, NAMED_COUNT).map(({ id, snapshot }) => (
          <li key={id}>
            <code>{id}</code> {snapshot.Description}
          </li>
        ))}
        {more > 0 ? <li>and {counted(more, "more", "more")}</li> : null}
      </ul>
      {action === "tag" ? (
        <div class="fields">
          <label>
            Key
            <input name="key" required maxLength={128} />
          </label>
          <label>
            Value
            <input name="value" maxLength={256} />
          </label>
        </div>
      ) : null}
    </>
  );
}

const EXPLANATIONS: Readonly<Record<Action, string>> = {
  delete:
    "What was only in them is gone, unless the service keeps a recycle bin. Snapshots that " +
    "descend from them keep their contents.",
  tag: "The tag is laid over those that the snapshots carry; one of the same key is replaced.",
  verify: "The service reads each snapshot again, from its root to its blocks, and hashes it all.",
};

function ProgressText({ progress }: { readonly progress: Progress }) {
  const { action, total, done, failures } = progress;
  const worked = done - failures.length;
  return (
    <div class="progress" role="status">
      <progress max={total} value={done} aria-label={`Snapshots ${DONE[action]}`} />
      <span>
        {worked} of {counted(total, "snapshot")} {DONE[action]}
      </span>
      {failures.length > 0 ? (
        <ul class="failure">
          {failures.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}
