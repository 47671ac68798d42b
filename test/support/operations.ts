import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import type { RequestParts } from "../../src/wire/message.ts";
import { checksumOfBlock } from "./blocks.ts";
import { exchange, type RawResponse, type Signing, sign, type Target } from "./raw-http.ts";

/* The operations as plain requests, written down here a second time rather than taken from src. */

type Members = Readonly<Record<string, string | number | undefined>>;

/** StartSnapshot with any JSON body. */
export function startParts(input: object): RequestParts {
  return {
    method: "POST",
    path: "/snapshots",
    headers: { "content-type": "application/json" },
    body: Buffer.from(JSON.stringify(input)),
  };
}

/** PutSnapshotBlock; `headers` replaces some, or takes them away where undefined. */
export function putParts(
  { snapshotId, blockIndex }: { readonly snapshotId: string; readonly blockIndex: number | string },
  bytes: Uint8Array,
  headers: Members = {},
): RequestParts {
  return {
    method: "PUT",
    path: `/snapshots/${snapshotId}/blocks/${blockIndex}`,
    headers: {
      "x-amz-data-length": BLOCK_SIZE_BYTES,
      "x-amz-checksum": checksumOfBlock(bytes),
      "x-amz-checksum-algorithm": "SHA256",
      ...headers,
    },
    body: bytes,
  };
}

/** CompleteSnapshot. */
export function completeParts(
  snapshotId: string,
  count: number | undefined,
  headers: Members = {},
): RequestParts {
  return {
    method: "POST",
    path: `/snapshots/completion/${snapshotId}`,
    headers: { "x-amz-changedblockscount": count, ...headers },
  };
}

/** GetSnapshotBlock. */
export function getParts(
  snapshotId: string,
  blockIndex: number | string,
  blockToken: string | undefined,
): RequestParts {
  const path = `/snapshots/${snapshotId}/blocks/${blockIndex}`;
  return { method: "GET", path, query: { blockToken } };
}

/** ListSnapshotBlocks. */
export function listParts(snapshotId: string, query: Members = {}): RequestParts {
  return { method: "GET", path: `/snapshots/${snapshotId}/blocks`, query };
}

/** ListChangedBlocks from first to second. */
export function changedParts(
  firstSnapshotId: string | undefined,
  secondSnapshotId: string,
  query: Members = {},
): RequestParts {
  const path = `/snapshots/${secondSnapshotId}/changedblocks`;
  return { method: "GET", path, query: { firstSnapshotId, ...query } };
}

/** An EC2 or STS action. */
export function actionParts(action: string, parameters: Record<string, string> = {}): RequestParts {
  return {
    method: "POST",
    path: "/",
    headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
    body: Buffer.from(new URLSearchParams({ Action: action, ...parameters }).toString()),
  };
}

/** An operation on encryption keys. */
export function kmsParts(operation: string, members: object = {}): RequestParts {
  return {
    method: "POST",
    path: "/",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": `TrentService.${operation}`,
    },
    body: Buffer.from(JSON.stringify(members)),
  };
}

/** Signs and sends. */
export function send(target: Target, parts: RequestParts, signing?: Signing): Promise<RawResponse> {
  return exchange(target, sign(target, parts, signing));
}

/** Starts a snapshot of 1 GiB unless told otherwise; answers its id. */
export async function start(target: Target, input: object = {}): Promise<string> {
  const response = await send(target, startParts({ VolumeSize: 1, ...input }));
  assert.equal(response.status, 201, response.text);
  return (JSON.parse(response.text) as { SnapshotId: string }).SnapshotId;
}

/** Puts blocks, one after another; every one must be taken. */
export async function put(
  target: Target,
  snapshotId: string,
  blocks: ReadonlyMap<number, Uint8Array>,
): Promise<void> {
  for (const [blockIndex, bytes] of blocks) {
    const response = await send(target, putParts({ snapshotId, blockIndex }, bytes));
    assert.equal(response.status, 201, response.text);
  }
}

/** Completes a snapshot and waits until it is no longer pending. Answers the status. */
export async function complete(
  target: Target,
  snapshotId: string,
  count: number,
): Promise<string | undefined> {
  const response = await send(target, completeParts(snapshotId, count));
  assert.equal(response.status, 202, response.text);
  return (await settled(target, snapshotId))["status"];
}

/** A snapshot written and completed in one step; answers its id. */
export async function snapshotOf(
  target: Target,
  blocks: ReadonlyMap<number, Uint8Array>,
  input: object = {},
): Promise<string> {
  const snapshotId = await start(target, input);
  await put(target, snapshotId, blocks);
  assert.equal(await complete(target, snapshotId, blocks.size), "completed");
  return snapshotId;
}

/** What DescribeSnapshots says of one snapshot: its plain elements by name. */
export async function describeSnapshot(
  target: Target,
  snapshotId: string,
): Promise<Record<string, string>> {
  const parts = actionParts("DescribeSnapshots", { "SnapshotId.1": snapshotId });
  const { status, text } = await send(target, parts, { service: "ec2" });
  assert.equal(status, 200, text);
  const elements = [...text.matchAll(/<(\w+)>([^<]*)<\/\1>/g)];
  return Object.fromEntries(elements.map(([, name, value]) => [name, value]));
}

/** Asks until a snapshot is no longer pending. */
export async function settled(target: Target, snapshotId: string): Promise<Record<string, string>> {
  for (let tries = 0; tries < 400; tries++) {
    const described = await describeSnapshot(target, snapshotId);
    if (described["status"] !== "pending") return described;
    await setTimeout(25);
  }
  throw new Error(`Snapshot ${snapshotId} stayed pending`);
}

/** A listing's blocks and the token of the next page. */
export interface Listing {
  readonly Blocks: readonly { readonly BlockIndex: number; readonly BlockToken: string }[];
  readonly NextToken: string | null;
}

/** One page of ListSnapshotBlocks. */
export async function list(
  target: Target,
  snapshotId: string,
  query: Members = {},
): Promise<Listing> {
  const response = await send(target, listParts(snapshotId, query));
  assert.equal(response.status, 200, response.text);
  return JSON.parse(response.body.toString()) as Listing;
}

/** The block token of one block. */
export async function blockToken(
  target: Target,
  snapshotId: string,
  blockIndex: number,
): Promise<string> {
  const { Blocks } = await list(target, snapshotId, { startingBlockIndex: blockIndex });
  const block = Blocks.find(({ BlockIndex }) => BlockIndex === blockIndex);
  assert.ok(block, `block ${blockIndex} of ${snapshotId} is listed`);
  return block.BlockToken;
}
