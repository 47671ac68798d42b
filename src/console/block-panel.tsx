import {
  type BlockLocation,
  type Client,
  getSnapshotBlock,
  listSnapshotBlocks,
  locateBlock,
} from "../client/browser.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { base64ToHex } from "./digest-text.ts";
import { formatBytes, formatCount } from "./format.ts";
import { HexView } from "./hex-view.tsx";
import { ifAllowed } from "./if-allowed.ts";
import { Lazy } from "./lazy-screen.tsx";

/** Blocks on the smallest page of a listing. */
const PAGE_COUNT_MIN = 100;

/** One block: where it is, what it is called, and its bytes as the service sent them, hashed. */
export function BlockPanel(props: {
  readonly snapshotId: string;
  readonly blockIndex: number;
  /** True to offer what the block was in the snapshots before. */
  readonly hasHistory?: boolean;
}) {
  const { snapshotId, blockIndex } = props;
  const { client } = useConsole();
  const key = `${snapshotId}/${blockIndex}`;
  const loaded = useLoad(key, async (signal) => {
    const [block, location] = await Promise.all([
      loadBlock(client, props, signal),
      ifAllowed(locateBlock(client, props, { signal }), undefined),
    ]);
    return { key, block, location };
  });
  // What is still there of the block chosen before is not this one's.
  const value = loaded.value?.key === key ? loaded.value : undefined;
  const block = value?.block;
  return (
    <section class="block" aria-label="Chosen block">
      <h3>Block {formatCount(blockIndex)}</h3>
      <dl class="facts">
        <dt>Offset</dt>
        <dd>
          {formatCount(blockIndex * BLOCK_SIZE_BYTES)} bytes (
          {formatBytes(blockIndex * BLOCK_SIZE_BYTES)})
        </dd>
        {block ? (
          <>
            <dt>Checksum</dt>
            <dd>
              <code>{block.Checksum}</code> (base64)
            </dd>
            <dt>Digest</dt>
            <dd>
              <code>{base64ToHex(block.Checksum)}</code> (SHA-256 of the bytes, verified here)
            </dd>
            {value?.location ? (
              <>
                <dt>In the store</dt>
                <dd>{placeText(value.location)}</dd>
              </>
            ) : null}
          </>
        ) : null}
      </dl>
      {loaded.error && !value ? (
        <p class="failure" role="alert">
          {loaded.error}
        </p>
      ) : null}
      {value === undefined && loaded.isLoading ? <p role="status">Reading …</p> : null}
      {value !== undefined && block === undefined ? (
        <p role="status">A hole: never written, reads as zeros.</p>
      ) : null}
      {block ? <HexView key={key} bytes={block.BlockData} /> : null}
      {value !== undefined && props.hasHistory ? (
        <Lazy key={`history ${key}`} load={loadHistory} with={{ snapshotId, blockIndex }} />
      ) : null}
    </section>
  );
}

/** Where the record lies that holds the block. */
function placeText({ Segment, Offset, Length, Digest, RecordName }: BlockLocation): string {
  if (Segment === null) return "nowhere: zeros take no room";
  const bytes = `${formatCount(Length ?? 0)} bytes from ${formatCount(Offset ?? 0)} on`;
  const place = `segment ${Segment}, ${bytes}`;
  return RecordName === Digest ? place : `${place}, encrypted, under the name ${RecordName}`;
}

const loadHistory = () => import("./block-history.tsx").then((part) => part.BlockHistory);

async function loadBlock(
  client: Client,
  { snapshotId, blockIndex }: { readonly snapshotId: string; readonly blockIndex: number },
  signal: AbortSignal,
) {
  const from = { StartingBlockIndex: blockIndex, MaxResults: PAGE_COUNT_MIN };
  const { Blocks } = await listSnapshotBlocks(client, snapshotId, from, { signal });
  const found = Blocks.find(({ BlockIndex }) => BlockIndex === blockIndex);
  if (found === undefined) return undefined;
  return getSnapshotBlock(client, blockIndex, snapshotId, found.BlockToken, { signal });
}
