import { useState } from "preact/hooks";
import { type Client, findLock, lockSnapshot, unlockSnapshot } from "../client/browser.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { Dialog } from "./dialog.tsx";
import { DownloadImage } from "./download-image.tsx";
import { Fact } from "./fact.tsx";
import { Failure } from "./failure.tsx";
import { formatAge, formatTime } from "./format.ts";
import { ifAllowed } from "./if-allowed.ts";
import { SnapshotLineage } from "./snapshot-lineage.tsx";
import type { SnapshotRow } from "./snapshot-rows.ts";
import { Verifications } from "./verifications.tsx";

/** What there is to know and to do beside a snapshot's facts and map. */
export function SnapshotMore({ row }: { readonly row: SnapshotRow }) {
  const isCompleted = row.snapshot.State === "completed";
  return (
    <>
      <div class="pair">
        <SnapshotLock row={row} />
        <Verifications row={row} />
      </div>
      <SnapshotLineage row={row} />
      {isCompleted ? <DownloadImage row={row} /> : null}
    </>
  );
}

/** Days that a lock is offered for. */
const LOCK_DAYS = 30;
const LOCK_DAYS_MAX = 36_500;

/** What keeps it from being deleted. */
function SnapshotLock({ row }: { readonly row: SnapshotRow }) {
  const { client, report } = useConsole();
  const { id } = row;
  const loaded = useLoad(`lock ${id}`, (signal) => loadLock(client, id, signal));
  const [isAsked, setIsAsked] = useState(false);
  const [failure, setFailure] = useState("");
  const attempt = async (work: Promise<void>) => {
    setFailure("");
    try {
      await work;
      loaded.reload();
    } catch (error) {
      setFailure(report(error));
    }
  };
  const lock = loaded.value;
  const isHeld = typeof lock === "object" && lock.LockState !== "expired";
  return (
    <section aria-labelledby="lock-heading">
      <h2 id="lock-heading">Lock</h2>
      <Failure text={loaded.error} />
      {lock === "denied" ? <p class="quiet">Your policy does not let you see it.</p> : null}
      {lock === "none" ? <p class="quiet">None: whoever may delete the snapshot can.</p> : null}
      {typeof lock === "object" ? (
        <dl class="facts">
          <Fact name="State">{lock.LockState}</Fact>
          <Fact name="Until">
            {formatTime(lock.LockExpiresOn ?? "")}
            {isHeld && lock.LockExpiresOn
              ? `, ${formatAge(Date.parse(lock.LockExpiresOn) - client.clock.nowMs())} from now`
              : ""}
          </Fact>
          {lock.CoolOffPeriodExpiresOn ? (
            <Fact name="Can be taken off until">{formatTime(lock.CoolOffPeriodExpiresOn)}</Fact>
          ) : null}
        </dl>
      ) : null}
      <div class="bulk">
        <button type="button" onClick={() => setIsAsked(true)}>
          {isHeld ? "Change lock …" : "Lock …"}
        </button>
        {isHeld ? (
          <button type="button" onClick={() => void attempt(unlockSnapshot(client, id))}>
            Unlock
          </button>
        ) : null}
      </div>
      <Failure text={failure} />
      {isAsked ? (
        <LockDialog
          id={id}
          onCancel={() => setIsAsked(false)}
          onConfirm={(form) => {
            setIsAsked(false);
            const mode = form.get("mode") === "compliance" ? "compliance" : "governance";
            const days = Number(form.get("days"));
            void attempt(lockSnapshot(client, { snapshotId: id, mode, days }));
          }}
        />
      ) : null}
    </section>
  );
}

async function loadLock(client: Client, id: string, signal: AbortSignal) {
  return (await ifAllowed(findLock(client, id, { signal }), "denied" as const)) ?? "none";
}

function LockDialog(props: {
  readonly id: string;
  readonly onCancel: () => void;
  readonly onConfirm: (form: FormData) => void;
}) {
  return (
    <Dialog
      title={`Lock ${props.id}`}
      action="Lock snapshot"
      onCancel={props.onCancel}
      onConfirm={props.onConfirm}
    >
      <fieldset class="choices">
        <legend>Mode</legend>
        <label class="check">
          <input type="radio" name="mode" value="governance" defaultChecked />
          <span>
            Governance
            <span class="description">can be taken off by whoever may unlock</span>
          </span>
        </label>
        <label class="check">
          <input type="radio" name="mode" value="compliance" />
          <span>
            Compliance
            <span class="description">
              nobody can take it off or shorten it; it can only be extended
            </span>
          </span>
        </label>
      </fieldset>
      <label>
        Days
        <input
          name="days"
          type="number"
          min={1}
          max={LOCK_DAYS_MAX}
          defaultValue={String(LOCK_DAYS)}
          required
        />
      </label>
    </Dialog>
  );
}
