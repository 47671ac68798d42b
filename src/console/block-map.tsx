import { useEffect, useRef, useState } from "preact/hooks";
import { systemClock } from "../base/clock.ts";
import { BLOCK_SIZE_BYTES } from "../model/limits.ts";
import { type Grid, gridOf, indexAt, moveTo, reveal, type View, zoom } from "./block-grid.ts";
import type { BlockSet } from "./block-set.ts";
import { counted, formatBytes, formatCount } from "./format.ts";
import { paintBlocks } from "./paint-blocks.ts";

/** A kind of block on a map; its number is its place in the list. */
export interface BlockKind {
  readonly name: string;
  /** The name of the colour in styles.css. */
  readonly colour: string;
}

/** A map of blocks, from the whole volume to a single one. */
export interface BlockMapProps {
  /** What it is a map of, for those who do not see it. */
  readonly label: string;
  readonly blocks: BlockSet;
  /** Goes up when the blocks have changed. */
  readonly version: number;
  /** Block indexes of the volume. */
  readonly blockCount: number;
  readonly kinds: readonly BlockKind[];
  /** What a block index is called that has no block. */
  readonly rest: string;
  readonly chosen: number | undefined;
  readonly onChoose: (blockIndex: number) => void;
}

const HEIGHT_PX = 320;
/** One step in or out. */
const ZOOM_FACTOR = 4;
const WHEEL_FACTOR = 1.5;

/** Draws it, and lets pointer and keyboard move over it. */
export function BlockMap(props: BlockMapProps) {
  const { blocks, blockCount, chosen, kinds } = props;
  const [view, setView] = useState<View>({ first: 0, count: blockCount });
  const { canvasRef, widthPx } = useCanvas(props, view);
  const grid = gridOf(view, widthPx, HEIGHT_PX);
  const at = chosen ?? view.first;
  const moves = movesOf(props, { view, setView, grid, at });
  const kind = blocks.kindAt(at);
  return (
    <figure class="map">
      <canvas
        ref={canvasRef}
        role="slider"
        tabIndex={0}
        aria-label={props.label}
        aria-valuemin={0}
        aria-valuemax={blockCount - 1}
        aria-valuenow={at}
        aria-valuetext={`block ${at}, ${kind === undefined ? props.rest : kinds[kind]?.name}`}
        height={HEIGHT_PX}
        onClick={moves.choose}
        onDblClick={moves.zoomIn}
        onWheel={moves.onWheel}
        onKeyDown={moves.onKeyDown}
      />
      <MapButtons {...{ view, blockCount, ...moves, onView: setView }} />
      <figcaption>
        <Legend kinds={kinds} blocks={blocks} rest={props.rest} />
        <span class="quiet">
          {viewText(view, blockCount)}; a square is{" "}
          {grid.perSquare === 1 ? "a block" : counted(grid.perSquare, "block")}
        </span>
      </figcaption>
    </figure>
  );
}

interface Place {
  readonly view: View;
  readonly setView: (view: View) => void;
  readonly grid: Grid;
  /** The block index that keys move from. */
  readonly at: number;
}

/** What pointer, keys and buttons do. */
function movesOf(props: BlockMapProps, { view, setView, grid, at }: Place) {
  const { blocks, blockCount, onChoose } = props;
  const zoomAround = (around: number, factor: number) =>
    setView(zoom(view, { factor, around }, blockCount));
  const goTo = (blockIndex: number) => {
    const bounded = Math.max(0, Math.min(blockCount - 1, blockIndex));
    setView(reveal(view, bounded, blockCount));
    onChoose(bounded);
  };
  const zoomBy = (factor: number) => {
    const isSeen = at >= view.first && at < view.first + view.count;
    zoomAround(isSeen ? at : view.first + Math.floor(view.count / 2), factor);
  };
  const under = (event: MouseEvent) => {
    const { left, top } = (event.currentTarget as Element).getBoundingClientRect();
    return indexAt(view, grid, { xPx: event.clientX - left, yPx: event.clientY - top });
  };
  return {
    goTo,
    zoomBy,
    choose(event: MouseEvent) {
      const first = under(event);
      if (first === undefined) return;
      // Of a square with many block indexes, the first that is no hole is meant.
      const next = blocks.next(first);
      onChoose(next !== undefined && next < first + grid.perSquare ? next : first);
    },
    zoomIn(event: MouseEvent) {
      const index = under(event);
      if (index !== undefined) zoomAround(index, 1 / ZOOM_FACTOR);
    },
    onWheel(event: WheelEvent) {
      const index = under(event);
      // Without a key held down, the wheel goes on moving the page.
      if (index === undefined || !event.ctrlKey) return;
      event.preventDefault();
      zoomAround(index, event.deltaY > 0 ? WHEEL_FACTOR : 1 / WHEEL_FACTOR);
    },
    onKeyDown(event: KeyboardEvent) {
      const step = STEPS[event.key]?.(grid.perSquare, grid.perSquare * grid.columns, view.count);
      if (step !== undefined) goTo(at + step);
      else if (event.key === "Home") goTo(0);
      else if (event.key === "End") goTo(blockCount - 1);
      else if (event.key === "+") zoomBy(1 / ZOOM_FACTOR);
      else if (event.key === "-") zoomBy(ZOOM_FACTOR);
      else return;
      event.preventDefault();
    },
  };
}

type Step = (perSquare: number, perRow: number, perView: number) => number;

const STEPS: Readonly<Record<string, Step>> = {
  ArrowRight: (perSquare) => perSquare,
  ArrowLeft: (perSquare) => -perSquare,
  ArrowDown: (_perSquare, perRow) => perRow,
  ArrowUp: (_perSquare, perRow) => -perRow,
  PageDown: (_perSquare, _perRow, perView) => perView,
  PageUp: (_perSquare, _perRow, perView) => -perView,
};

function viewText({ first, count }: View, blockCount: number): string {
  const size = formatBytes(count * BLOCK_SIZE_BYTES);
  if (count === blockCount) return `The whole volume, ${size}`;
  const last = first + count - 1;
  if (count === 1) return `Block ${formatCount(first)}`;
  return `Blocks ${formatCount(first)} to ${formatCount(last)}, ${size}`;
}

/** The canvas, as wide as its place, painted anew whenever something has changed. */
function useCanvas(props: BlockMapProps, view: View) {
  const canvasRef = useRef<HTMLCanvasElement>(null);
  const [widthPx, setWidthPx] = useState(0);
  const [scheme, setScheme] = useState(0);
  useEffect(() => {
    const canvas = canvasRef.current;
    if (canvas === null) return;
    const measure = () => setWidthPx(canvas.clientWidth);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(canvas);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const repaint = () => setScheme((before) => before + 1);
    dark.addEventListener("change", repaint);
    return () => {
      observer.disconnect();
      dark.removeEventListener("change", repaint);
    };
  }, []);
  useEffect(() => {
    const canvas = canvasRef.current;
    if (canvas !== null && widthPx > 0) paint(canvas, { ...props, view, widthPx });
  }, [widthPx, scheme, view, props.version, props.chosen, props.blocks]);
  return { canvasRef, widthPx: Math.max(1, widthPx) };
}

function paint(
  canvas: HTMLCanvasElement,
  { view, widthPx, blocks, kinds, chosen }: BlockMapProps & { view: View; widthPx: number },
): void {
  const startedMs = systemClock.monotonicMs();
  const ratio = devicePixelRatio;
  canvas.width = widthPx * ratio;
  canvas.height = HEIGHT_PX * ratio;
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  const colourOf = (name: string) => style.getPropertyValue(`--${name}`).trim();
  paintBlocks(context, {
    ...{ blocks, view, chosen, grid: gridOf(view, widthPx, HEIGHT_PX) },
    colours: kinds.map(({ colour }) => colourOf(colour)),
    holeColour: colourOf("hole"),
    markColour: colourOf("mark"),
  });
  canvas.dataset["paintedMs"] = (systemClock.monotonicMs() - startedMs).toFixed(1);
  canvas.dataset["blocks"] = String(blocks.count);
}

function MapButtons(props: {
  readonly view: View;
  readonly blockCount: number;
  readonly goTo: (blockIndex: number) => void;
  readonly zoomBy: (factor: number) => void;
  readonly onView: (view: View) => void;
}) {
  const { view, blockCount, goTo, zoomBy, onView } = props;
  const isWhole = view.count === blockCount;
  const find = (event: SubmitEvent) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    goTo(Number(data.get("blockIndex")));
  };
  const turn = (by: number) => onView(moveTo(view, view.first + by * view.count, blockCount));
  return (
    <div class="map-buttons">
      <button type="button" disabled={view.count === 1} onClick={() => zoomBy(1 / ZOOM_FACTOR)}>
        Zoom in
      </button>
      <button type="button" disabled={isWhole} onClick={() => zoomBy(ZOOM_FACTOR)}>
        Zoom out
      </button>
      <button
        type="button"
        disabled={isWhole}
        onClick={() => onView({ first: 0, count: blockCount })}
      >
        Whole volume
      </button>
      <button type="button" disabled={view.first === 0} onClick={() => turn(-1)}>
        Before
      </button>
      <button
        type="button"
        disabled={view.first + view.count >= blockCount}
        onClick={() => turn(1)}
      >
        After
      </button>
      <form onSubmit={find}>
        <label>
          Block index
          <input name="blockIndex" type="number" min={0} max={blockCount - 1} required />
        </label>
        <button type="submit">Go</button>
      </form>
    </div>
  );
}

function Legend(props: Pick<BlockMapProps, "kinds" | "blocks" | "rest">) {
  return (
    <ul class="legend">
      {props.kinds.map(({ name, colour }, kind) => {
        const count = props.blocks.counts[kind] ?? 0;
        return count === 0 ? null : (
          <li key={name}>
            <span class={`swatch ${colour}`} /> {name}: {formatCount(count)} (
            {formatBytes(count * BLOCK_SIZE_BYTES)})
          </li>
        );
      })}
      <li>
        <span class="swatch hole" /> {props.rest}
      </li>
    </ul>
  );
}
