import { useState } from "preact/hooks";
import { type Client, deleteSnapshot, verifySnapshot } from "../client/browser.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { BlockMap } from "./block-map.tsx";
import { BlockPanel } from "./block-panel.tsx";
import { useConsole, useLoad } from "./console-context.ts";
import { CopyCommands } from "./copy-commands.tsx";
import { Dialog } from "./dialog.tsx";
import { ExclusiveSize } from "./exclusive-size.tsx";
import { Fact } from "./fact.tsx";
import { counted, formatBytes, formatCount, formatTime } from "./format.ts";
import { Lazy } from "./lazy-screen.tsx";
import { compareHref, snapshotHref } from "./route.ts";
import { loadSnapshotBlocks, SNAPSHOT_KINDS, type SnapshotBlocks } from "./snapshot-blocks.ts";
import { State, Verified } from "./snapshot-cells.tsx";
import { loadRow, type SnapshotRow } from "./snapshot-rows.ts";
import { TagEditor } from "./tag-editor.tsx";
import { useBlocks } from "./use-blocks.ts";

/** One snapshot. */
export function SnapshotScreen({ snapshotId }: { readonly snapshotId: string }) {
  const { client } = useConsole();
  const loaded = useLoad(snapshotId, (signal) => findRow(client, snapshotId, signal), {
    againAfterMs: ({ snapshot }) => (snapshot.State === "pending" ? AGAIN_MS : undefined),
  });
  const row = loaded.value;
  return (
    <>
      <div class="heading">
        <h1>{snapshotId}</h1>
        {row ? <Actions row={row} onVerified={loaded.reload} /> : null}
      </div>
      {loaded.error === undefined ? null : (
        <p class="failure" role="alert">
          {loaded.error}
        </p>
      )}
      {row === undefined && loaded.isLoading ? <p role="status">Loading …</p> : null}
      {row ? (
        <>
          <Facts row={row} />
          <TagEditor snapshotId={snapshotId} tags={row.snapshot.Tags} onChanged={loaded.reload} />
          <SnapshotMap row={row} />
          <Lazy load={loadMore} with={{ row }} />
          <CopyCommands snapshotId={snapshotId} parent={row.lineage?.ParentSnapshotId ?? null} />
        </>
      ) : null}
    </>
  );
}

/** How often one that is pending is looked at again. */
const AGAIN_MS = 3_000;

const loadMore = () => import("./snapshot-more.tsx").then((part) => part.SnapshotMore);

/** Throws where there is none. */
async function findRow(client: Client, id: string, signal: AbortSignal): Promise<SnapshotRow> {
  const row = await loadRow(client, id, signal);
  if (row) return row;
  throw new Error(`There is no snapshot ${id} for this account. It may have been deleted.`);
}

function Actions(props: { readonly row: SnapshotRow; readonly onVerified: () => void }) {
  const { client, report, tasks } = useConsole();
  const [text, setText] = useState("");
  const [isAsked, setIsAsked] = useState(false);
  const { id, snapshot } = props.row;
  const verify = async () => {
    try {
      const outcome = await tasks.run(`Verify ${id}`, async ({ signal, onProgress }) => {
        const { outcome, blocksVerified } = await verifySnapshot(client, {
          snapshotId: id,
          signal,
          onProgress({ blocksDone, blocksTotal }) {
            const far = `${formatCount(blocksDone)} of ${counted(blocksTotal, "block")} verified`;
            onProgress(blocksDone, blocksTotal, far);
            setText(far);
          },
        });
        return `${outcome}: ${counted(blocksVerified, "block")} verified`;
      });
      setText(outcome);
      props.onVerified();
    } catch (error) {
      setText(report(error));
    }
  };
  const remove = async () => {
    setIsAsked(false);
    try {
      await deleteSnapshot(client, id);
      location.hash = "#/snapshots";
    } catch (error) {
      setText(report(error));
    }
  };
  return (
    <div class="bulk">
      <button type="button" disabled={snapshot.State !== "completed"} onClick={() => void verify()}>
        Verify
      </button>
      <button type="button" class="danger" onClick={() => setIsAsked(true)}>
        Delete …
      </button>
      <span role="status">{text}</span>
      {isAsked ? (
        <Dialog
          title={`Delete ${id}?`}
          action="Delete snapshot"
          isDangerous
          onCancel={() => setIsAsked(false)}
          onConfirm={() => void remove()}
        >
          <p>
            What was only in it is gone, unless the service keeps a recycle bin. Snapshots that
            descend from it keep their contents.
          </p>
        </Dialog>
      ) : null}
    </div>
  );
}

function Facts({ row }: { readonly row: SnapshotRow }) {
  const { snapshot, lineage, verification } = row;
  const { FullSnapshotSizeInBytes: full } = snapshot;
  const parent = lineage?.ParentSnapshotId;
  const own = (lineage?.WrittenBlockCount ?? 0) * BLOCK_SIZE_BYTES;
  return (
    <dl class="facts wide">
      <Fact name="Description">{snapshot.Description || "–"}</Fact>
      <Fact name="State">
        <State snapshot={snapshot} />
        {snapshot.StateMessage ? ` ${snapshot.StateMessage}` : ""}
      </Fact>
      <Fact name="Volume">{snapshot.VolumeSize} GiB</Fact>
      <Fact name="Full size">{full === undefined ? "–" : formatBytes(full)}</Fact>
      <Fact name="Written in it">{lineage ? formatBytes(own) : "–"}</Fact>
      {row.lineage && snapshot.State === "completed" ? (
        <Fact name="Deleting it frees">
          <ExclusiveSize row={row} />
        </Fact>
      ) : null}
      <Fact name="Started">{formatTime(snapshot.StartTime)}</Fact>
      <Fact name="Completed">{formatTime(snapshot.CompletionTime ?? "")}</Fact>
      <Fact name="Verified">
        <Verified verification={verification} />
      </Fact>
      <Fact name="Parent">
        {parent ? (
          <>
            <a class="id" href={snapshotHref(parent)}>
              {parent}
            </a>{" "}
            <a href={compareHref(parent, row.id)}>compare</a>
          </>
        ) : (
          (lineage && "none") || "–"
        )}
      </Fact>
      <Fact name="Owner">{snapshot.OwnerId}</Fact>
      <Fact name="Encryption">
        {snapshot.Encrypted ? <code>{snapshot.KmsKeyId ?? "encrypted"}</code> : "none"}
      </Fact>
    </dl>
  );
}

function SnapshotMap({ row }: { readonly row: SnapshotRow }) {
  const { client } = useConsole();
  const [chosen, setChosen] = useState<number>();
  const { id, snapshot, lineage } = row;
  const isCompleted = snapshot.State === "completed";
  const parent = lineage?.ParentSnapshotId;
  const loaded = useBlocks<SnapshotBlocks>(isCompleted ? id : "", (loading) =>
    loadSnapshotBlocks(client, { id, parent }, loading),
  );
  const { state, version, error, isLoading, isPaused, goOn } = loaded;
  return (
    <section aria-labelledby="map-heading">
      <h2 id="map-heading">Block map</h2>
      {isCompleted ? null : <p>There is one once the snapshot is completed.</p>}
      {error === undefined ? null : (
        <p class="failure" role="alert">
          {error}
        </p>
      )}
      {state ? (
        <BlockMap
          label={`Block map of ${id}`}
          {...{
            ...state,
            version,
            chosen,
            kinds: SNAPSHOT_KINDS,
            rest: "a hole",
            onChoose: setChosen,
          }}
        />
      ) : null}
      {isCompleted && isLoading && !isPaused ? (
        <p class="quiet">Loading, {counted(state?.blocks.count ?? 0, "block")} so far …</p>
      ) : null}
      {isPaused ? (
        <button type="button" onClick={goOn}>
          {counted(state?.blocks.count ?? 0, "block")} are drawn; load more
        </button>
      ) : null}
      {chosen === undefined ? (
        <p class="quiet">Choose a block to see its checksum and its bytes.</p>
      ) : (
        <BlockPanel snapshotId={id} blockIndex={chosen} hasHistory />
      )}
    </section>
  );
}
