import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  gridOf,
  indexAt,
  moveTo,
  reveal,
  squareCount,
  type View,
  zoom,
} from "../../src/console/block-grid.ts";
import { BlockSet, KINDS_COUNT } from "../../src/console/block-set.ts";
import { lineageRows, type SnapshotRow } from "../../src/console/snapshot-rows.ts";
import { blockCountOf } from "../../src/model/geometry.ts";
import { VOLUME_SIZE_GIB_MAX } from "../../src/model/limits.ts";
import { propertyRuns } from "../support/property.ts";

/* What the console draws from, without a browser. */

const BLOCK_COUNT_MAX = blockCountOf(VOLUME_SIZE_GIB_MAX);

const someBlocks = fc
  .dictionary(fc.nat(5_000).map(String), fc.nat(KINDS_COUNT - 1), { maxKeys: 200 })
  .map((kinds) => Object.entries(kinds).map(([index, kind]) => [Number(index), kind] as const));

function setOf(entries: readonly (readonly [index: number, kind: number])[]): BlockSet {
  const blocks = new BlockSet();
  for (const [index, kind] of entries.toSorted(([a], [b]) => a - b)) blocks.add(index, kind);
  return blocks;
}

test("a set of blocks counts, finds and marks as a plain map does", (t) => {
  const property = fc.property(
    someBlocks,
    fc.nat(5_200),
    fc.integer({ min: 1, max: 700 }),
    (entries, first, perCell) => {
      const model = new Map(entries);
      const blocks = setOf(entries);
      const cells = blocks.countCells(first, perCell, new Uint32Array(5 * KINDS_COUNT));
      const expected = new Uint32Array(5 * KINDS_COUNT);
      for (const [index, kind] of model) {
        const at = Math.floor((index - first) / perCell) * KINDS_COUNT + kind;
        if (index >= first && at < expected.length) expected[at] = (expected[at] ?? 0) + 1;
      }
      assert.deepEqual(cells, expected);
      assert.equal(blocks.kindAt(first), model.get(first));
      const later = [...model.keys()].filter((index) => index >= first);
      assert.equal(blocks.next(first), later.length > 0 ? Math.min(...later) : undefined);
      blocks.mark(first, 2);
      if (model.has(first)) model.set(first, 2);
      blocks.markAll(0, 1);
      const kinds = [...model.values()].map((kind) => (kind === 0 ? 1 : kind));
      for (let kind = 0; kind < KINDS_COUNT; kind++) {
        assert.equal(blocks.counts[kind], kinds.filter((each) => each === kind).length);
      }
    },
  );
  fc.assert(property, propertyRuns(t, 300));
});

test("every block index of a view is on a square of its own place, and squares fit", (t) => {
  const property = fc.property(
    fc.integer({ min: 1, max: BLOCK_COUNT_MAX }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.integer({ min: 200, max: 2_000 }),
    (count, share, widthPx) => {
      const view = moveTo(
        { first: 0, count },
        Math.floor(share * BLOCK_COUNT_MAX),
        BLOCK_COUNT_MAX,
      );
      const grid = gridOf(view, widthPx, 320);
      const squares = squareCount(view, grid);
      assert.ok(squares <= grid.columns * grid.rows);
      assert.ok(grid.columns * grid.squarePx <= widthPx && grid.rows * grid.squarePx <= 320);
      const square = Math.min(squares - 1, Math.floor(share * squares));
      const xPx = (square % grid.columns) * grid.squarePx + 1;
      const yPx = Math.floor(square / grid.columns) * grid.squarePx + 1;
      assert.equal(indexAt(view, grid, { xPx, yPx }), view.first + square * grid.perSquare);
    },
  );
  fc.assert(property, propertyRuns(t, 300));
});

test("zooming keeps in sight what is zoomed to, down to one block and back to all", (t) => {
  const property = fc.property(
    fc.integer({ min: 1, max: BLOCK_COUNT_MAX }),
    fc.double({ min: 0, max: 0.999, noNaN: true }),
    fc.array(fc.constantFrom(1 / 4, 4, 1 / 1.5, 1.5), { maxLength: 40 }),
    (blockCount, share, factors) => {
      const around = Math.floor(share * blockCount);
      let view: View = { first: 0, count: blockCount };
      for (const factor of factors) {
        view = zoom(view, { factor, around }, blockCount);
        assert.ok(view.first >= 0 && view.count >= 1);
        assert.ok(view.first + view.count <= blockCount);
        assert.ok(around >= view.first && around < view.first + view.count);
        assert.deepEqual(reveal(view, around, blockCount), view);
      }
      for (let i = 0; i < 15; i++) view = zoom(view, { factor: 1 / 4, around }, blockCount);
      assert.deepEqual(view, { first: around, count: 1 });
      for (let i = 0; i < 15; i++) view = zoom(view, { factor: 4, around }, blockCount);
      assert.deepEqual(view, { first: 0, count: blockCount });
    },
  );
  fc.assert(property, propertyRuns(t, 300));
});

function row(id: string, second: number, ParentSnapshotId: string | null): SnapshotRow {
  const snapshot = { SnapshotId: id, StartTime: new Date(second * 1_000).toISOString() };
  return { id, snapshot, lineage: { ParentSnapshotId } } as unknown as SnapshotRow;
}

test("lineages are drawn parents first, branches set in, however deep they are", () => {
  const rows = [
    row("e", 5, "gone"),
    row("d", 4, "a"),
    row("c", 3, "b"),
    row("b", 2, "a"),
    row("a", 1, null),
  ];
  const drawn = lineageRows(rows).map(({ row: { id }, depth, descent }) => [id, depth, descent]);
  assert.deepEqual(drawn, [
    ["e", 0, "orphan"],
    ["a", 0, "first"],
    ["d", 1, "branch"],
    ["b", 0, "next"],
    ["c", 0, "next"],
  ]);
  const chain = Array.from({ length: 20_000 }, (_, i) => row(`${i}`, i, i > 0 ? `${i - 1}` : null));
  const deep = lineageRows(chain);
  assert.equal(deep.length, chain.length);
  assert.ok(deep.every(({ depth, row: { id } }, i) => depth === 0 && id === `${i}`));
});
