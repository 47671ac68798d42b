import { randomUuid } from "../../base/random.ts";
import { BLOCK_SIZE_BYTES } from "../../model/limits.ts";
import {
  type CompleteSnapshotRequest,
  type CompleteSnapshotResponse,
  readCompleteSnapshotResponse,
  writeCompleteSnapshotRequest,
} from "../../wire/complete-snapshot.ts";
import {
  type GetSnapshotBlockResponse,
  readGetSnapshotBlockResponse,
  writeGetSnapshotBlockRequest,
} from "../../wire/get-snapshot-block.ts";
import {
  type ListBlockDigestsRequest,
  type ListBlockDigestsResponse,
  readListBlockDigestsResponse,
  writeListBlockDigestsRequest,
} from "../../wire/list-block-digests.ts";
import {
  type ListChangedBlocksResponse,
  readListChangedBlocksResponse,
  writeListChangedBlocksRequest,
} from "../../wire/list-changed-blocks.ts";
import {
  type ListReadableBlocksRequest,
  type ListReadableBlocksResponse,
  readListReadableBlocksResponse,
  writeListReadableBlocksRequest,
} from "../../wire/list-readable-blocks.ts";
import {
  type ListSnapshotBlocksResponse,
  readListSnapshotBlocksResponse,
  writeListSnapshotBlocksRequest,
} from "../../wire/list-snapshot-blocks.ts";
import type { PagingMembers } from "../../wire/members.ts";
import {
  type PutSnapshotBlockResponse,
  readPutSnapshotBlockResponse,
  writePutSnapshotBlockRequest,
} from "../../wire/put-snapshot-block.ts";
import {
  readStartSnapshotResponse,
  type StartSnapshotRequest,
  type StartSnapshotResponse,
  writeStartSnapshotRequest,
} from "../../wire/start-snapshot.ts";
import type { CallOptions, Client } from "../call/client.ts";
import { webHashing } from "../call/web-hashing.ts";
import { integrityError } from "../errors.ts";

/*
 * The six operations of the EBS direct APIs and two of ours: client first, what stands in the
 * path, the other input, options. Names and units of the members are AWS's. All of them throw
 * `ClientError`, and all are safe to repeat.
 */

/**
 * Begins a snapshot, which then takes blocks. Without a client token one is made up, so that
 * repeating the request after a lost answer starts nothing twice.
 *
 *     const { SnapshotId } = await startSnapshot(client, { VolumeSize: 1 });
 */
export function startSnapshot(
  client: Client,
  input: StartSnapshotRequest,
  options?: CallOptions,
): Promise<StartSnapshotResponse> {
  const ClientToken = input.ClientToken ?? randomUuid(client.random);
  const request = writeStartSnapshotRequest({ ...input, ClientToken });
  const operation = "StartSnapshot";
  const call = { operation, service: "ebs", request, read: readStartSnapshotResponse } as const;
  return client.send(call, options);
}

/** Input of `putSnapshotBlock`. */
export interface PutSnapshotBlockInput {
  /** 524,288 bytes; must not change until the call is over. */
  readonly BlockData: Uint8Array;
  /** Default: the length of the data. */
  readonly DataLength?: number | undefined;
  /** base64 of the data's SHA-256; default: calculated. */
  readonly Checksum?: string | undefined;
  /** Default and only choice: SHA256. */
  readonly ChecksumAlgorithm?: string | undefined;
  /** Per cent of the upload. */
  readonly Progress?: number | undefined;
}

/** Writes one block to a pending snapshot, and checks that the service got these very bytes. */
export async function putSnapshotBlock(
  client: Client,
  blockIndex: number,
  snapshotId: string,
  input: PutSnapshotBlockInput,
  options?: CallOptions,
): Promise<PutSnapshotBlockResponse> {
  const { BlockData, DataLength = BlockData.length, ChecksumAlgorithm = "SHA256" } = input;
  const Checksum = input.Checksum ?? (await checksumOf(client, BlockData));
  const members = { SnapshotId: snapshotId, BlockIndex: blockIndex, DataLength, Checksum };
  const { Progress } = input;
  const operation = "PutSnapshotBlock";
  const call = {
    operation,
    service: "ebs",
    request: writePutSnapshotBlockRequest({ ...members, ChecksumAlgorithm, Progress }, BlockData),
    isBlock: true,
    read(received: Parameters<typeof readPutSnapshotBlockResponse>[0]) {
      const response = readPutSnapshotBlockResponse(received);
      if (response.Checksum === Checksum) return response;
      const message = `The service confirmed other bytes than those of block ${blockIndex}.`;
      throw integrityError(operation, message);
    },
  } as const;
  return client.send(call, options);
}

/** Input of `completeSnapshot`. */
export type CompleteSnapshotInput = Omit<CompleteSnapshotRequest, "SnapshotId">;

/** Asks for a snapshot to be completed; it is when `describeSnapshots` says so. */
export function completeSnapshot(
  client: Client,
  snapshotId: string,
  input: CompleteSnapshotInput,
  options?: CallOptions,
): Promise<CompleteSnapshotResponse> {
  const request = writeCompleteSnapshotRequest({ ...input, SnapshotId: snapshotId });
  const operation = "CompleteSnapshot";
  const call = { operation, service: "ebs", request, read: readCompleteSnapshotResponse } as const;
  return client.send(call, options);
}

/** Reads one block, and checks its length and checksum; a block that fails is asked for again. */
export function getSnapshotBlock(
  client: Client,
  blockIndex: number,
  snapshotId: string,
  blockToken: string,
  options?: CallOptions,
): Promise<GetSnapshotBlockResponse> {
  const members = { SnapshotId: snapshotId, BlockIndex: blockIndex, BlockToken: blockToken };
  const call = {
    operation: "GetSnapshotBlock",
    service: "ebs",
    request: writeGetSnapshotBlockRequest(members),
    async read(received: Parameters<typeof readGetSnapshotBlockResponse>[0]) {
      const response = readGetSnapshotBlockResponse(received);
      const checksum = await checksumOf(client, response.BlockData);
      verifyBlock(response, checksum, `Block ${blockIndex} of ${snapshotId}`);
      return response;
    },
  } as const;
  return client.send(call, options);
}

function verifyBlock(response: GetSnapshotBlockResponse, checksum: string, subject: string): void {
  const { BlockData, DataLength, Checksum, ChecksumAlgorithm } = response;
  const fail = (what: string) => integrityError("GetSnapshotBlock", `${subject} ${what}.`);
  if (BlockData.length !== BLOCK_SIZE_BYTES || DataLength !== BLOCK_SIZE_BYTES) {
    throw fail(`came with ${BlockData.length} bytes instead of ${BLOCK_SIZE_BYTES}`);
  }
  if (ChecksumAlgorithm !== "SHA256") {
    throw fail(`came with an unknown kind of checksum, '${ChecksumAlgorithm}'`);
  }
  if (checksum !== Checksum) throw fail("does not match its checksum");
}

function checksumOf(client: Client, bytes: Uint8Array): string | Promise<string> {
  return (client.hashing ?? webHashing).checksum(bytes);
}

/** One page of a snapshot's blocks; `blocksOf` gives them all. */
export function listSnapshotBlocks(
  client: Client,
  snapshotId: string,
  input: PagingMembers = {},
  options?: CallOptions,
): Promise<ListSnapshotBlocksResponse> {
  const request = writeListSnapshotBlocksRequest({ ...input, SnapshotId: snapshotId });
  const operation = "ListSnapshotBlocks";
  const read = readListSnapshotBlocksResponse;
  return client.send({ operation, service: "ebs", request, read }, options);
}

/** Input of `listChangedBlocks`. */
export interface ListChangedBlocksInput extends PagingMembers {
  /** Optional in AWS's model, required by AWS and by this service. */
  readonly FirstSnapshotId?: string | undefined;
}

/** One page of the blocks at which two snapshots differ; `changedBlocksOf` gives them all. */
export function listChangedBlocks(
  client: Client,
  secondSnapshotId: string,
  input: ListChangedBlocksInput = {},
  options?: CallOptions,
): Promise<ListChangedBlocksResponse> {
  const members = { ...input, SecondSnapshotId: secondSnapshotId };
  const request = writeListChangedBlocksRequest(members);
  const operation = "ListChangedBlocks";
  const read = readListChangedBlocksResponse;
  return client.send({ operation, service: "ebs", request, read }, options);
}

/**
 * One page of a snapshot's blocks with their checksums: an operation of ours, which AWS answers
 * with an error.
 */
export function listBlockDigests(
  client: Client,
  input: ListBlockDigestsRequest,
  options?: CallOptions,
): Promise<ListBlockDigestsResponse> {
  const request = writeListBlockDigestsRequest(input);
  const operation = "ListBlockDigests";
  const read = readListBlockDigestsResponse;
  return client.send({ operation, service: "ebs", request, read }, options);
}

/**
 * One page of a snapshot's blocks, also past damaged parts of its block map, and where those are:
 * an operation of ours, which AWS answers with an error.
 */
export function listReadableBlocks(
  client: Client,
  input: ListReadableBlocksRequest,
  options?: CallOptions,
): Promise<ListReadableBlocksResponse> {
  const request = writeListReadableBlocksRequest(input);
  const operation = "ListReadableBlocks";
  const read = readListReadableBlocksResponse;
  return client.send({ operation, service: "ebs", request, read }, options);
}
