import { useState } from "preact/hooks";
import { forEachConcurrent } from "../base/concurrency.ts";
import { createTags, deleteSnapshot, verifySnapshot } from "../client/browser.ts";
import { type ConsoleParts, useConsole } from "./console-context.ts";
import { Dialog } from "./dialog.tsx";
import { counted } from "./format.ts";
import { compareHref } from "./route.ts";
import type { SnapshotRow } from "./snapshot-rows.ts";

/** Snapshots worked on at once. */
const AT_ONCE = 4;
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
    const rows = [...selected];
    const start = { action, total: rows.length, done: 0, failures: [] };
    setProgress(start);
    let [done, failures] = [0, [] as readonly string[]];
    await forEachConcurrent(rows, AT_ONCE, async ({ id }) => {
      try {
        await WORK[action]({ client, tasks }, id, form);
      } catch (error) {
        failures = [...failures, `${id}: ${report(error)}`];
      }
      done += 1;
      setProgress({ ...start, done, failures });
    });
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

type Work = (
  parts: Pick<ConsoleParts, "client" | "tasks">,
  id: string,
  form: FormData,
) => Promise<void>;

const WORK: Readonly<Record<Action, Work>> = {
  delete: ({ client }, id) => deleteSnapshot(client, id),
  tag: ({ client }, id, form) => {
    const tag = { Key: String(form.get("key")), Value: String(form.get("value") ?? "") };
    return createTags(client, { Resources: [id], Tags: [tag] });
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
