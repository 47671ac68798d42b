import { digestFromChecksum } from "../../model/digest.ts";
import { invalid } from "../../model/errors.ts";
import type { AccountId, Domain } from "../../model/ids.ts";
import { completeSnapshot } from "../../snapshots/complete-snapshot.ts";
import type { Core } from "../../snapshots/core.ts";
import { getSnapshotBlock } from "../../snapshots/get-snapshot-block.ts";
import { keyArnOf } from "../../snapshots/key-arns.ts";
import { listBlockDigests } from "../../snapshots/list-block-digests.ts";
import { listBlocksByWriter } from "../../snapshots/list-blocks-by-writer.ts";
import { listChangedBlocks } from "../../snapshots/list-changed-blocks.ts";
import { listSnapshotBlocks } from "../../snapshots/list-snapshot-blocks.ts";
import type { PageInput } from "../../snapshots/paging.ts";
import { putSnapshotBlock } from "../../snapshots/put-snapshot-block.ts";
import { startSnapshot } from "../../snapshots/start-snapshot.ts";
import {
  type CompleteSnapshotRequest,
  checkChecksumMembers,
  readCompleteSnapshotRequest,
  writeCompleteSnapshotResponse,
} from "../../wire/complete-snapshot.ts";
import {
  readGetSnapshotBlockRequest,
  writeGetSnapshotBlockResponse,
} from "../../wire/get-snapshot-block.ts";
import {
  readListBlockDigestsRequest,
  writeListBlockDigestsResponse,
} from "../../wire/list-block-digests.ts";
import {
  readListChangedBlocksRequest,
  writeListChangedBlocksResponse,
} from "../../wire/list-changed-blocks.ts";
import {
  readListSnapshotBlocksRequest,
  writeListSnapshotBlocksResponse,
} from "../../wire/list-snapshot-blocks.ts";
import type { PagingMembers } from "../../wire/members.ts";
import type { WireRequest, WireResponse } from "../../wire/message.ts";
import type { OperationName } from "../../wire/operations.ts";
import {
  readPutSnapshotBlockRequest,
  writePutSnapshotBlockResponse,
} from "../../wire/put-snapshot-block.ts";
import {
  readStartSnapshotRequest,
  type StartSnapshotRequest,
  writeStartSnapshotResponse,
} from "../../wire/start-snapshot.ts";
import {
  type Access,
  authorize,
  authorizeKey,
  type Caller,
  findKeyDenial,
  KEY_USES,
  resourceArn,
} from "../access/authorize.ts";
import { INTEGRITY_OPERATIONS } from "./integrity-operations.ts";
import { LINEAGE_OPERATIONS } from "./lineage-operations.ts";

/** An authenticated call of one operation. */
export interface Call extends Caller {
  readonly request: WireRequest;
  /** Parameters of the path. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Resolves when whoever calls is known to be who is said here; undefined where that is known. */
  readonly isConfirmed?: Promise<void> | undefined;
  /** Lends a buffer of `BLOCK_BUFFER_BYTES` until the answer has been sent. */
  readonly borrow: () => Promise<Uint8Array>;
  /** Awaited between two pieces of work that takes long. */
  readonly rest: () => Promise<void>;
}

/**
 * Each operation from message to message: read it, ask the caller's policy, do it, answer. A page
 * of 10,000 blocks is found, given tokens and written in turns of their own: between them every
 * other request goes on.
 */
export const EBS_OPERATIONS: Readonly<
  Record<OperationName, (core: Core, call: Call) => Promise<WireResponse>>
> = {
  async StartSnapshot(core, call) {
    const { principal, request } = call;
    const input = readStartSnapshotRequest(request);
    await authorize(core, call, ...accessesOfStart(core, input));
    const snapshot = await startSnapshot(core, principal.account, {
      checkKeyUse: (domain) => authorizeStart(core, call, { domain, input }),
      volumeSizeGib: input.VolumeSize,
      parentSnapshotId: input.ParentSnapshotId,
      tags: input.Tags ?? [],
      description: input.Description,
      clientToken: input.ClientToken,
      encrypted: input.Encrypted,
      kmsKeyArn: input.KmsKeyArn,
      timeoutMinutes: input.Timeout,
    });
    return writeStartSnapshotResponse({
      SnapshotId: snapshot.id,
      OwnerId: snapshot.account,
      // A repeated request is answered as it was the first time, whatever happened since.
      Status: "pending",
      startTimeMs: snapshot.startTimeMs,
      VolumeSize: snapshot.volumeSizeGib,
      Description: snapshot.description,
      Tags: snapshot.tags,
      ParentSnapshotId: snapshot.parent,
      KmsKeyArn: await keyArnOf(core, snapshot.domain),
    });
  },

  async PutSnapshotBlock(core, call) {
    const { principal, request, parameters } = call;
    const input = readPutSnapshotBlockRequest(request, parameters);
    await authorize(core, call, { action: "ebs:PutSnapshotBlock", resourceId: input.SnapshotId });
    const encoding = request.headers.get("content-encoding");
    if (encoding !== undefined && encoding !== "identity") {
      const message = `Content encoding '${encoding.slice(0, 64)}' is not supported`;
      throw invalid("INVALID_CONTENT_ENCODING", message);
    }
    const block = {
      snapshotId: input.SnapshotId,
      blockIndex: input.BlockIndex,
      dataLength: input.DataLength,
      checksum: input.Checksum,
      checksumAlgorithm: input.ChecksumAlgorithm,
    };
    const put = { input: block, bytes: request.body, isConfirmed: call.isConfirmed };
    const { checksum } = await putSnapshotBlock(core, principal.account, put);
    return writePutSnapshotBlockResponse({ Checksum: checksum, ChecksumAlgorithm: "SHA256" });
  },

  async CompleteSnapshot(core, call) {
    const { principal, request, parameters } = call;
    const input = readCompleteSnapshotRequest(request, parameters);
    await authorize(core, call, { action: "ebs:CompleteSnapshot", resourceId: input.SnapshotId });
    checkChecksumMembers(input);
    const Status = await completeSnapshot(core, principal.account, {
      snapshotId: input.SnapshotId,
      changedBlocksCount: input.ChangedBlocksCount,
      linearDigest: linearDigestOf(input),
    });
    return writeCompleteSnapshotResponse({ Status });
  },

  async GetSnapshotBlock(core, call) {
    const { principal, request, parameters, borrow } = call;
    const input = readGetSnapshotBlockRequest(request, parameters);
    await authorize(core, call, { action: "ebs:GetSnapshotBlock", resourceId: input.SnapshotId });
    await authorizeKey(core, call, { snapshotIds: [input.SnapshotId], uses: KEY_USES.read });
    const block = await getSnapshotBlock(core, principal.account, {
      snapshotId: input.SnapshotId,
      blockIndex: input.BlockIndex,
      blockToken: input.BlockToken,
      buffer: await borrow(),
    });
    return writeGetSnapshotBlockResponse({ BlockData: block.bytes, Checksum: block.checksum });
  },

  async ListSnapshotBlocks(core, call) {
    const input = readListSnapshotBlocksRequest(call.request, call.parameters);
    const page = await pageOfSnapshot(core, call, { input, list: listSnapshotBlocks });
    return writeListSnapshotBlocksResponse({
      blocks: page.blocks,
      rest: call.rest,
      expiryTimeMs: page.expiryTimeMs,
      NextToken: page.nextToken,
      VolumeSize: page.volumeSizeGib,
    });
  },

  async ListChangedBlocks(core, call) {
    const { principal, request, parameters } = call;
    const input = readListChangedBlocksRequest(request, parameters);
    await authorize(
      core,
      call,
      { action: "ebs:ListChangedBlocks", resourceId: input.FirstSnapshotId },
      { action: "ebs:ListChangedBlocks", resourceId: input.SecondSnapshotId },
    );
    const snapshotIds = [input.FirstSnapshotId, input.SecondSnapshotId];
    await authorizeKey(core, call, { snapshotIds, uses: KEY_USES.list });
    const listing = core.changesBy === "writers" ? listBlocksByWriter : listChangedBlocks;
    const page = await listing(core, principal.account, {
      firstSnapshotId: input.FirstSnapshotId,
      secondSnapshotId: input.SecondSnapshotId,
      ...pageInput(input, call),
    });
    await call.rest();
    return writeListChangedBlocksResponse({
      changedBlocks: page.changedBlocks,
      rest: call.rest,
      expiryTimeMs: page.expiryTimeMs,
      NextToken: page.nextToken,
      VolumeSize: page.volumeSizeGib,
    });
  },

  async ListBlockDigests(core, call) {
    const input = readListBlockDigestsRequest(call.request, call.parameters);
    const page = await pageOfSnapshot(core, call, { input, list: listBlockDigests });
    return writeListBlockDigestsResponse({
      blocks: page.blocks,
      rest: call.rest,
      NextToken: page.nextToken,
      VolumeSize: page.volumeSizeGib,
    });
  },

  ...INTEGRITY_OPERATIONS,
  ...LINEAGE_OPERATIONS,
};

/** Tags given at the start are created as by CreateTags, and need leave of their own. */
function accessesOfStart(core: Core, input: StartSnapshotRequest): Access[] {
  const { ParentSnapshotId: parentId, Tags } = input;
  const tags = Tags ?? [];
  const keys = {
    "ebs:Description": input.Description,
    "ebs:VolumeSize": String(input.VolumeSize),
    "ebs:ParentSnapshot": parentId && resourceArn(core.region, parentId),
  };
  const start = { action: "ebs:StartSnapshot", resourceId: parentId ?? "null", keys, tags };
  const tagging = { action: "ec2:CreateTags", resourceId: "*", tags };
  return tags.length === 0 ? [start] : [start, tagging];
}

/** Throws what a start under a key says that the caller's policy does not let it use. */
async function authorizeStart(
  core: Core,
  call: Call,
  { domain, input }: { readonly domain: Domain; readonly input: StartSnapshotRequest },
): Promise<void> {
  const uses = input.ParentSnapshotId === undefined ? KEY_USES.start : KEY_USES.startChild;
  const denial = await findKeyDenial(core, call, { domain, uses });
  if (denial === undefined) return;
  const message = `KMS refused the request: AccessDeniedException: ${denial}`;
  throw invalid("INVALID_DEPENDENCY_REQUEST", message);
}

/** Which page of what is in one snapshot. */
interface SnapshotPaging<P> {
  readonly input: PagingMembers & { readonly SnapshotId: string };
  list(core: Core, account: AccountId, query: PageInput & { snapshotId: string }): Promise<P>;
}

/** A page of a snapshot, for whom ListSnapshotBlocks is allowed: what extends it asks no more. */
async function pageOfSnapshot<P>(
  core: Core,
  call: Call,
  { input, list }: SnapshotPaging<P>,
): Promise<P> {
  const { SnapshotId: snapshotId } = input;
  await authorize(core, call, { action: "ebs:ListSnapshotBlocks", resourceId: snapshotId });
  await authorizeKey(core, call, { snapshotIds: [snapshotId], uses: KEY_USES.list });
  const query = { snapshotId, ...pageInput(input, call) };
  const page = await list(core, call.principal.account, query);
  await call.rest();
  return page;
}

function pageInput(members: PagingMembers, { rest }: Call) {
  return {
    rest,
    nextToken: members.NextToken,
    maxResults: members.MaxResults,
    startingBlockIndex: members.StartingBlockIndex,
  };
}

/** An aggregate checksum that names no digest can match none: the snapshot ends in `error`. */
function linearDigestOf({ Checksum }: CompleteSnapshotRequest) {
  if (Checksum === undefined) return undefined;
  return digestFromChecksum(Checksum) ?? NO_DIGEST;
}

/** All zeros: no SHA-256 known to anyone, so it equals no aggregate. */
const NO_DIGEST = "0".repeat(64) as NonNullable<ReturnType<typeof digestFromChecksum>>;
