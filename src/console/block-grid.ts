/* Which block indexes a map shows, and on which squares. Pure arithmetic. */

/** A run of block indexes that is looked at. */
export interface View {
  readonly first: number;
  readonly count: number;
}

/** Squares in rows, as many block indexes on each. */
export interface Grid {
  readonly columns: number;
  readonly rows: number;
  /** Width and height of a square with the gap after it, in pixels. */
  readonly squarePx: number;
  readonly perSquare: number;
}

/** Sizes of a square in pixels: to be seen, and no larger than a fingertip needs. */
const SQUARE_PX_MIN = 5;
const SQUARE_PX_MAX = 32;

/** Lays a view out on a canvas. */
export function gridOf({ count }: View, widthPx: number, heightPx: number): Grid {
  const fitting = Math.floor(Math.sqrt((widthPx * heightPx) / count));
  const squarePx = Math.max(SQUARE_PX_MIN, Math.min(SQUARE_PX_MAX, fitting));
  const columns = Math.max(1, Math.floor(widthPx / squarePx));
  const rows = Math.max(1, Math.floor(heightPx / squarePx));
  return { columns, rows, squarePx, perSquare: Math.ceil(count / (columns * rows)) };
}

/** Squares that stand for block indexes of the view. */
export function squareCount({ count }: View, { perSquare }: Grid): number {
  return Math.ceil(count / perSquare);
}

/** The first block index of the square at a place of the canvas; undefined beside the view. */
export function indexAt(view: View, grid: Grid, place: { xPx: number; yPx: number }) {
  const column = Math.floor(place.xPx / grid.squarePx);
  const square = Math.floor(place.yPx / grid.squarePx) * grid.columns + column;
  const isInside = column >= 0 && column < grid.columns && square < squareCount(view, grid);
  return isInside && square >= 0 ? view.first + square * grid.perSquare : undefined;
}

/** Looks at more or fewer block indexes, such that one stays where it is. */
export function zoom(
  view: View,
  { factor, around }: { readonly factor: number; readonly around: number },
  blockCount: number,
): View {
  const count = Math.max(1, Math.min(blockCount, Math.round(view.count * factor)));
  const share = (around - view.first) / view.count;
  return moveTo({ first: 0, count }, around - Math.floor(share * count), blockCount);
}

/** Looks at as many block indexes from another one on, within the volume. */
export function moveTo({ count }: View, first: number, blockCount: number): View {
  return { first: Math.max(0, Math.min(blockCount - count, first)), count };
}

/** Moves a view no further than needed to show a block index. */
export function reveal(view: View, blockIndex: number, blockCount: number): View {
  if (blockIndex < view.first) return moveTo(view, blockIndex, blockCount);
  const last = view.first + view.count - 1;
  return blockIndex > last ? moveTo(view, blockIndex - view.count + 1, blockCount) : view;
}
