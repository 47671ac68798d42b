import { type Grid, squareCount, type View } from "./block-grid.ts";
import { type BlockSet, KINDS_COUNT } from "./block-set.ts";

/** What to paint. */
export interface Painting {
  readonly blocks: BlockSet;
  readonly view: View;
  readonly grid: Grid;
  /** Colours by kind, of holes, and of the frame around the chosen block. */
  readonly colours: readonly string[];
  readonly holeColour: string;
  readonly markColour: string;
  readonly chosen: number | undefined;
}

/** How strongly a square is painted that holds one block of very many. */
const ALPHA_MIN = 0.3;

/** Paints the squares of a view: a square has the colour of the kind it holds most of. */
export function paintBlocks(context: CanvasRenderingContext2D, painting: Painting): void {
  const { blocks, view, grid, colours, holeColour } = painting;
  const count = squareCount(view, grid);
  const squares = new Uint32Array(count * KINDS_COUNT);
  blocks.countCells(view.first, grid.perSquare, squares);
  paintSquares(context, grid, { colour: holeColour, count, alphaOf: () => 1 });
  for (const [kind, colour] of colours.entries()) {
    const alphaOf = (square: number) => {
      const at = square * KINDS_COUNT;
      const own = squares[at + kind] as number;
      if (own === 0 || !isMost(squares, at, kind)) return 0;
      return ALPHA_MIN + (1 - ALPHA_MIN) * Math.sqrt(sumAt(squares, at) / grid.perSquare);
    };
    paintSquares(context, grid, { colour, count, alphaOf });
  }
  paintMark(context, painting);
}

function isMost(squares: Uint32Array, at: number, kind: number): boolean {
  const own = squares[at + kind] as number;
  for (let other = 0; other < KINDS_COUNT; other++) {
    const count = squares[at + other] as number;
    if (count > own || (count === own && other < kind)) return false;
  }
  return true;
}

function sumAt(squares: Uint32Array, at: number): number {
  let sum = 0;
  for (let kind = 0; kind < KINDS_COUNT; kind++) sum += squares[at + kind] as number;
  return sum;
}

function paintSquares(
  context: CanvasRenderingContext2D,
  { columns, squarePx }: Grid,
  { colour, count, alphaOf }: SquaresOfKind,
): void {
  context.fillStyle = colour;
  const side = squarePx > 8 ? squarePx - 2 : squarePx - 1;
  for (let square = 0; square < count; square++) {
    const alpha = alphaOf(square);
    if (alpha === 0) continue;
    context.globalAlpha = alpha;
    const [x, y] = [square % columns, Math.floor(square / columns)];
    context.fillRect(x * squarePx, y * squarePx, side, side);
  }
  context.globalAlpha = 1;
}

interface SquaresOfKind {
  readonly colour: string;
  readonly count: number;
  /** How strongly a square is painted; 0 for not at all. */
  readonly alphaOf: (square: number) => number;
}

function paintMark(context: CanvasRenderingContext2D, painting: Painting): void {
  const { view, grid, chosen, markColour } = painting;
  if (chosen === undefined || chosen < view.first || chosen >= view.first + view.count) return;
  const square = Math.floor((chosen - view.first) / grid.perSquare);
  const [x, y] = [square % grid.columns, Math.floor(square / grid.columns)];
  context.strokeStyle = markColour;
  context.lineWidth = 2;
  const { squarePx } = grid;
  context.strokeRect(x * squarePx, y * squarePx, squarePx - 1, squarePx - 1);
}
