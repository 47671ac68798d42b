import { useState } from "preact/hooks";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { useConsole } from "./console-context.ts";
import { CopyButton } from "./copy-button.tsx";
import { Failure } from "./failure.tsx";
import { counted, formatBytes } from "./format.ts";
import { canSave, chooseFile, saveImage } from "./save-image.ts";
import type { SnapshotRow } from "./snapshot-rows.ts";

/** Saves a snapshot as a raw image, block by block; where the browser cannot, says what can. */
export function DownloadImage({ row }: { readonly row: SnapshotRow }) {
  const { client, report, tasks } = useConsole();
  const [failure, setFailure] = useState("");
  const [outcome, setOutcome] = useState("");
  const { id, snapshot, lineage } = row;
  const sizeGib = snapshot.VolumeSize;
  const command = `varve download ${id} ${id}.raw --endpoint ${client.endpoint}`;
  const save = async () => {
    setFailure("");
    setOutcome("");
    const file = await chooseFile(`${id}.raw`);
    if (file === undefined) return;
    const work = tasks.run(`Download ${id}`, async ({ signal, onProgress }) => {
      const blocksTotal = lineage?.BlockCount ?? 0;
      const count = await saveImage(client, { snapshotId: id, sizeGib, file, signal }, (done) => {
        onProgress(done, blocksTotal, `${done} of ${counted(blocksTotal, "block")}`);
        setOutcome(`${done} of ${counted(blocksTotal, "block")}`);
      });
      return `${counted(count, "block")} saved and verified`;
    });
    await work.then(setOutcome, (error: unknown) => setFailure(report(error)));
  };
  const full =
    (snapshot.FullSnapshotSizeInBytes ?? 0) || (lineage?.BlockCount ?? 0) * BLOCK_SIZE_BYTES;
  return (
    <section aria-labelledby="download-heading">
      <h2 id="download-heading">Download</h2>
      {canSave() ? (
        <>
          <div class="bulk">
            <button type="button" onClick={() => void save()}>
              Save as a raw image …
            </button>
            <span role="status">{outcome}</span>
          </div>
          <p class="quiet">
            A file of {sizeGib} GiB, of which {formatBytes(full)} are read and hashed; the rest is
            zeros. It can be stopped under Tasks, and does not go on where it was cut off: of large
            volumes that is better done by the command.
          </p>
        </>
      ) : (
        <p>
          This browser writes no files of that size from a page (Chrome and Edge do, over HTTPS or
          from this machine). The command does, sparse, verified, and going on where it was cut off:
        </p>
      )}
      <ul class="commands">
        <li>
          <code>{command}</code>
          <CopyButton text={command} what={command} />
        </li>
      </ul>
      <Failure text={failure} />
    </section>
  );
}
