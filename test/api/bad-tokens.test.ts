import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { RequestParts } from "../../src/wire/message.ts";
import { MovingClock } from "../support/moving-clock.ts";
import {
  actionParts,
  blockToken,
  changedParts,
  getParts,
  list,
  listParts,
  send,
  snapshotOf,
} from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import type { Target } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { type Cleanup, temporaryDirectory } from "../support/temporary-directory.ts";

/* A token allows what it was minted for: one operation, one snapshot or pair, for a while. */

const HOUR_MS = 3_600_000;
/** Blocks written to the parent: more than one page of 100. */
const BLOCK_COUNT = 101;

/** Two snapshots of a lineage, both of more than a page; the child differs in every block. */
async function openFixture(t: Cleanup) {
  const clock = new MovingClock();
  const service = { ...(await startService(t, { clock })), clock };
  const parent = await snapshotOf(service, blocksOf(1));
  const child = await snapshotOf(service, blocksOf(2), { ParentSnapshotId: parent });
  return { service, clock, parent, child };
}

function blocksOf(contents: number): Map<number, Uint8Array> {
  const block = blockContents(contents);
  return new Map(Array.from({ length: BLOCK_COUNT }, (_, blockIndex) => [blockIndex, block]));
}

async function pageToken(service: Target, parts: RequestParts): Promise<string> {
  const { text } = await send(service, { ...parts, query: { ...parts.query, maxResults: 100 } });
  const { NextToken } = JSON.parse(text) as { NextToken: string };
  assert.equal(typeof NextToken, "string", text);
  return NextToken;
}

async function assertInvalidToken(
  service: Target,
  parts: RequestParts,
  kind: "block" | "pagination",
): Promise<void> {
  const token = parts.query?.["blockToken"] ?? parts.query?.["pageToken"];
  const { status, text } = await send(service, parts);
  const Reason = kind === "block" ? "INVALID_BLOCK_TOKEN" : "INVALID_PAGE_TOKEN";
  assert.equal(text, JSON.stringify({ Message: `The ${kind} token ${token} is invalid.`, Reason }));
  assert.equal(status, 400);
}

/** The token changed in each place, one after another, and cut and prolonged. */
function spoilt(token: string): string[] {
  const other = (character: string) => (character === "A" ? "B" : "A");
  const changed = [...token].map(
    (character, i) => token.slice(0, i) + other(character) + token.slice(i + 1),
  );
  const doubled = token + token;
  return [...changed, token.slice(0, -1), token.slice(4), `${token}=`, `${token}AAAA`, doubled];
}

const { service, clock, parent, child } = await openFixture({ after });

describe("Tokens", () => {
  test("of a block read that block of that snapshot and no other", async () => {
    const token = await blockToken(service, parent, 0);
    assert.equal((await send(service, getParts(parent, 0, token))).status, 200);
    for (const parts of [
      getParts(parent, 1, token),
      getParts(parent, 2_000, token),
      getParts(parent, 2_048, token),
      getParts(child, 0, token),
    ]) {
      await assertInvalidToken(service, parts, "block");
    }
  });

  test("of a block are good however the listing was made", async () => {
    const { text } = await send(service, changedParts(parent, child));
    const [changed] = (JSON.parse(text) as { ChangedBlocks: Record<string, string>[] })
      .ChangedBlocks;
    const [first, second] = [changed?.["FirstBlockToken"], changed?.["SecondBlockToken"]];
    assert.equal((await send(service, getParts(parent, 0, first))).status, 200);
    assert.equal((await send(service, getParts(child, 0, second))).status, 200);
    await assertInvalidToken(service, getParts(child, 0, first), "block");
    await assertInvalidToken(service, getParts(parent, 0, second), "block");
  });

  test("stay good when the listing is made again, and may be used again", async () => {
    const tokens = [await blockToken(service, parent, 0), await blockToken(service, parent, 0)];
    for (const token of [...tokens, ...tokens]) {
      assert.equal((await send(service, getParts(parent, 0, token))).status, 200);
    }
  });

  test("of a page go on with that listing and no other", async () => {
    const listing = await pageToken(service, listParts(parent));
    const changes = await pageToken(service, changedParts(parent, child));
    for (const query of [{ pageToken: listing }, { pageToken: listing, startingBlockIndex: 3 }]) {
      const { Blocks } = await list(service, parent, query);
      assert.deepEqual(Blocks[0]?.BlockIndex, 100);
    }
    for (const parts of [
      listParts(child, { pageToken: listing }),
      listParts(parent, { pageToken: changes }),
      changedParts(parent, child, { pageToken: listing }),
      changedParts(child, parent, { pageToken: changes }),
      changedParts(parent, parent, { pageToken: changes }),
      listParts(parent, { pageToken: await blockToken(service, parent, 100) }),
    ]) {
      await assertInvalidToken(service, parts, "pagination");
    }
    await assertInvalidToken(service, getParts(parent, 100, listing), "block");
  });

  test("of a page work for the operations of AWS alone, not for the digests", async () => {
    const digests = { method: "GET", path: `/snapshots/${parent}/digests` };
    const token = await pageToken(service, digests);
    await assertInvalidToken(service, listParts(parent, { pageToken: token }), "pagination");
    const pageOfList = await pageToken(service, listParts(parent));
    const parts = { ...digests, query: { pageToken: pageOfList } };
    await assertInvalidToken(service, parts, "pagination");
  });

  test("changed in any one place are refused", async () => {
    for (const token of spoilt(await blockToken(service, parent, 0))) {
      await assertInvalidToken(service, getParts(parent, 0, token), "block");
    }
    for (const token of spoilt(await pageToken(service, listParts(parent)))) {
      await assertInvalidToken(service, listParts(parent, { pageToken: token }), "pagination");
    }
  });

  test("of more than 256 characters do not fit the member", async () => {
    const { status, text } = await send(service, getParts(parent, 0, "A".repeat(257)));
    assert.equal(status, 400);
    assert.match(text, /'blockToken' failed to satisfy constraint: Member must have length/);
  });
});

describe("With time, tokens", () => {
  test("of a page end after 60 minutes and those of a block after 7 days", async () => {
    const block = await blockToken(service, parent, 0);
    const page = await pageToken(service, listParts(parent));
    const get = getParts(parent, 0, block);
    const next = listParts(parent, { pageToken: page });
    clock.advance(HOUR_MS - 60_000);
    assert.equal((await send(service, next)).status, 200);
    clock.advance(61_000);
    await assertInvalidToken(service, next, "pagination");
    clock.advance(7 * 24 * HOUR_MS - HOUR_MS - 60_000);
    assert.equal((await send(service, get)).status, 200);
    clock.advance(61_000);
    await assertInvalidToken(service, get, "block");
  });

  test("last through a restart, and are worth nothing at another service", async (t) => {
    const dataDirectory = await temporaryDirectory(t);
    const first = await startOnce(dataDirectory);
    const snapshot = await snapshotOf(first.service, blocksOf(1));
    const block = await blockToken(first.service, snapshot, 0);
    const page = await pageToken(first.service, listParts(snapshot));
    await first.close();
    const again = await startService(t, { dataDirectory });
    const got = await send(again, getParts(snapshot, 0, block));
    assert.ok(got.body.equals(blockContents(1)), `${got.status}`);
    assert.equal((await list(again, snapshot, { pageToken: page })).Blocks.length, 1);
    const other = await startService(t);
    const foreign = await snapshotOf(other, new Map([[0, blockContents(1)]]));
    await assertInvalidToken(other, getParts(foreign, 0, block), "block");
  });

  test("outlive nothing: those of a deleted snapshot read nothing", async (t) => {
    const service = await startService(t);
    const snapshot = await snapshotOf(service, new Map([[0, blockContents(1)]]));
    const block = await blockToken(service, snapshot, 0);
    const deleting = actionParts("DeleteSnapshot", { SnapshotId: snapshot });
    assert.equal((await send(service, deleting, { service: "ec2" })).status, 200);
    assert.equal((await send(service, getParts(snapshot, 0, block))).status, 404);
  });
});

/** A service that the test itself closes, to open its store a second time. */
async function startOnce(dataDirectory: string) {
  const works: (() => unknown)[] = [];
  const service = await startService({ after: (work) => works.push(work) }, { dataDirectory });
  const close = async () => {
    for (const work of works) await work();
  };
  return { service, close };
}
