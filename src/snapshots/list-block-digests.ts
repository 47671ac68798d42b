import type { AccountId } from "../model/ids.ts";
import type { MapEntry } from "../tree/block-map.ts";
import { type Core, readable } from "./core.ts";
import { cutPage, openPage, type PageInput } from "./paging.ts";

/** Parameters of ListBlockDigests. */
export interface ListBlockDigestsInput extends PageInput {
  readonly snapshotId: string;
}

/** One page of a snapshot's blocks with their digests, ascending. */
export interface BlockDigestsPage {
  readonly blocks: readonly MapEntry[];
  readonly nextToken: string | undefined;
  readonly volumeSizeGib: number;
}

/**
 * Lists the digest of each block of a completed snapshot: an addition of ours to the API, which
 * lets an incremental upload find out what to send without reading the parent back.
 */
export async function listBlockDigests(
  core: Core,
  account: AccountId,
  input: ListBlockDigestsInput,
): Promise<BlockDigestsPage> {
  const snapshot = await readable(core, account, input.snapshotId);
  const scope = { kind: "digestPage", snapshotIds: [input.snapshotId] } as const;
  const { fromIndex, limit } = openPage(core, scope, input);
  const found = await core.maps(snapshot.domain).entries(snapshot.root, fromIndex, limit + 1);
  const indexOf = ({ blockIndex }: MapEntry) => blockIndex;
  const { entries, nextToken } = cutPage(core, scope, { found, limit, indexOf });
  return { blocks: entries, nextToken, volumeSizeGib: snapshot.volumeSizeGib };
}
