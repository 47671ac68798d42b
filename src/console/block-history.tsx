import { useState } from "preact/hooks";
import { type Client, isSnapshotNotFound, listBlockDigests } from "../client/browser.ts";
import { ZERO_BLOCK_CHECKSUM } from "../model/digest.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { base64ToHex } from "./digest-text.ts";
import { Failure } from "./failure.tsx";
import { counted, formatTime } from "./format.ts";
import { snapshotHref } from "./route.ts";
import { ancestorsOf, loadRows, type SnapshotRow } from "./snapshot-rows.ts";

/** Ancestors looked at in one go: a request each. */
const STEP_COUNT = 25;
/** Blocks on the smallest page of a listing. */
const PAGE_COUNT_MIN = 100;
/** Characters of a digest that tell two apart on a screen. */
const DIGEST_CHARACTERS = 16;

/** A block as one snapshot of the lineage has it. */
interface Stage {
  readonly row: SnapshotRow;
  /** Undefined for a hole. */
  readonly checksum: string | undefined;
}

/** What a block was in the snapshots before, back to the lineage's first. */
export function BlockHistory(props: { readonly snapshotId: string; readonly blockIndex: number }) {
  const [stepCount, setStepCount] = useState(0);
  if (stepCount === 0) {
    return (
      <button type="button" onClick={() => setStepCount(1)}>
        Its history through the lineage
      </button>
    );
  }
  return <Stages {...props} stepCount={stepCount} onMore={() => setStepCount(stepCount + 1)} />;
}

function Stages(props: {
  readonly snapshotId: string;
  readonly blockIndex: number;
  readonly stepCount: number;
  readonly onMore: () => void;
}) {
  const { client } = useConsole();
  const { snapshotId, blockIndex, stepCount } = props;
  const key = `${snapshotId} ${blockIndex} ${stepCount}`;
  const loaded = useLoad(key, (signal) => loadStages(client, props, signal));
  const { stages = [], leftCount = 0 } = loaded.value ?? {};
  return (
    <section aria-labelledby="history-heading">
      <h4 id="history-heading">Block {blockIndex} through the lineage</h4>
      <Failure text={loaded.error} />
      {loaded.isLoading ? <p class="quiet">Looking …</p> : null}
      {stages.length > 0 ? (
        <table class="stacked">
          <thead>
            <tr>
              <th scope="col">Snapshot</th>
              <th scope="col">Started</th>
              <th scope="col">Digest</th>
              <th scope="col">Compared with the one before</th>
            </tr>
          </thead>
          <tbody>
            {stages.map((stage, at) => (
              <StageRow
                key={stage.row.id}
                stage={stage}
                before={stages[at + 1]}
                isLast={leftCount === 0}
              />
            ))}
          </tbody>
        </table>
      ) : null}
      {leftCount > 0 ? (
        <button type="button" onClick={props.onMore}>
          Look at {counted(Math.min(STEP_COUNT, leftCount), "more", "more")} of {leftCount}
        </button>
      ) : null}
    </section>
  );
}

function StageRow(props: {
  readonly stage: Stage;
  readonly before: Stage | undefined;
  /** True when there is nothing before the last one shown. */
  readonly isLast: boolean;
}) {
  const { stage, before, isLast } = props;
  const { row, checksum } = stage;
  return (
    <tr>
      <th scope="row">
        <a class="id" href={snapshotHref(row.id)}>
          {row.id}
        </a>
        <span class="description">{row.snapshot.Description}</span>
      </th>
      <td data-label="Started">{formatTime(row.snapshot.StartTime)}</td>
      <td data-label="Digest">
        {checksum === undefined ? (
          <span class="quiet">a hole</span>
        ) : (
          <code title={base64ToHex(checksum)}>
            {base64ToHex(checksum).slice(0, DIGEST_CHARACTERS)}…
          </code>
        )}
        {checksum === ZERO_BLOCK_CHECKSUM ? " zeros" : ""}
      </td>
      <td data-label="Before">{changeText(stage, before, isLast)}</td>
    </tr>
  );
}

function changeText(stage: Stage, before: Stage | undefined, isLast: boolean): string {
  if (before === undefined) {
    if (!isLast) return "–";
    return stage.checksum === undefined ? "never written" : "first written here";
  }
  if (stage.checksum === before.checksum) return "the same";
  return before.checksum === undefined ? "first written here" : "written anew";
}

async function loadStages(
  client: Client,
  asked: { readonly snapshotId: string; readonly blockIndex: number; readonly stepCount: number },
  signal: AbortSignal,
): Promise<{ readonly stages: readonly Stage[]; readonly leftCount: number }> {
  const rows = await loadRows(client, signal);
  const own = rows.find(({ id }) => id === asked.snapshotId);
  if (own === undefined) return { stages: [], leftCount: 0 };
  const line = [own, ...ancestorsOf(rows, own)];
  const shown = line.slice(0, asked.stepCount * STEP_COUNT);
  const stages: Stage[] = [];
  for (const row of shown) {
    const found = await findChecksum(client, { id: row.id, index: asked.blockIndex }, signal);
    if (found !== "gone") stages.push({ row, checksum: found });
  }
  return { stages, leftCount: line.length - shown.length };
}

/** Undefined for a hole; `gone` where the snapshot is not there any more. */
async function findChecksum(
  client: Client,
  { id, index }: { readonly id: string; readonly index: number },
  signal: AbortSignal,
): Promise<string | undefined | "gone"> {
  const from = { SnapshotId: id, StartingBlockIndex: index, MaxResults: PAGE_COUNT_MIN };
  try {
    const { Blocks } = await listBlockDigests(client, from, { signal });
    return Blocks.find(({ BlockIndex }) => BlockIndex === index)?.Checksum;
  } catch (error) {
    if (isSnapshotNotFound(error)) return "gone";
    throw error;
  }
}
