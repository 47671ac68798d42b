import { useEffect, useId, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

/** One line of a chart. */
export interface Line {
  readonly name: string;
  /** The name of its colour in styles.css. */
  readonly colour: string;
  /** As many as there are times; null for none. */
  readonly values: readonly (number | null)[];
}

/** Lines over time. */
export interface LineChartProps {
  readonly title: string;
  /** Seconds since 1970, ascending. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  /** A value in words. */
  readonly format: (value: number) => string;
  /** True for bytes: marks on the axis are then powers of two. */
  readonly isBinary?: boolean;
}

const HEIGHT_PX = 170;
/** Room beside the chart for a value such as `1,023 MiB/s`. */
const AXIS_WIDTH_PX = 74;

/** Draws it, and tells the latest values to those who do not see it. */
export function LineChart(props: LineChartProps) {
  const { title, lines, format } = props;
  const placeRef = useRef<HTMLDivElement>(null);
  const titleId = useId();
  useChart(placeRef, props);
  return (
    <figure class="chart" aria-labelledby={titleId}>
      <figcaption>
        <h3 id={titleId}>{title}</h3>
        <ul class="legend">
          {lines.map(({ name, colour, values }) => {
            const latest = values.findLast((value) => value !== null);
            return (
              <li key={name}>
                <span class={`swatch ${colour}`} /> {name}{" "}
                <span class="number">{latest === undefined ? "–" : format(latest ?? 0)}</span>
              </li>
            );
          })}
        </ul>
      </figcaption>
      <div ref={placeRef} class="plot" aria-hidden="true" />
    </figure>
  );
}

function useChart(placeRef: { readonly current: HTMLDivElement | null }, props: LineChartProps) {
  const chartRef = useRef<uPlot | undefined>(undefined);
  const [scheme, setScheme] = useState(0);
  const data = [
    [...props.times],
    ...props.lines.map(({ values }) => [...values]),
  ] as uPlot.AlignedData;
  useEffect(() => {
    const place = placeRef.current;
    if (place === null) return;
    const chart = new uPlot(optionsOf(place, props), data, place);
    chartRef.current = chart;
    const observer = new ResizeObserver(() => {
      chart.setSize({ width: place.clientWidth, height: HEIGHT_PX });
    });
    observer.observe(place);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const repaint = () => setScheme((before) => before + 1);
    dark.addEventListener("change", repaint);
    return () => {
      observer.disconnect();
      dark.removeEventListener("change", repaint);
      chart.destroy();
    };
  }, [scheme, props.lines.map(({ name }) => name).join()]);
  useEffect(() => chartRef.current?.setData(data), [props.times, props.lines]);
}

function optionsOf(place: HTMLElement, props: LineChartProps): uPlot.Options {
  const style = getComputedStyle(place);
  const colourOf = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colourOf("quiet"),
    grid: { stroke: colourOf("line"), width: 1 },
    ticks: { stroke: colourOf("line"), width: 1 },
    font: "12px system-ui, sans-serif",
  };
  return {
    width: Math.max(1, place.clientWidth),
    height: HEIGHT_PX,
    legend: { show: false },
    // Twenty-four hours, and the day first: as everywhere in the console.
    axes: [
      { ...axis, values: TIME_FORMAT, space: 70, size: 30 },
      {
        ...axis,
        size: AXIS_WIDTH_PX,
        values: (_chart, splits) => splits.map((value) => props.format(value)),
        ...(props.isBinary ? { incrs: BINARY_STEPS } : {}),
      },
    ],
    scales: { y: { range: (_chart, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    series: [
      {},
      ...props.lines.map(({ name, colour }) => ({
        label: name,
        stroke: colourOf(colour),
        width: 2,
        spanGaps: false,
      })),
    ],
  };
}

/** uPlot's own table of what to write at steps of so many seconds. */
const TIME_FORMAT = [
  [86_400 * 365, "{YYYY}", null, null, null, null, null, null, 1],
  [86_400 * 28, "{YYYY}-{MM}", null, null, null, null, null, null, 1],
  [86_400, "{MM}-{DD}", null, null, null, null, null, null, 1],
  [60, "{HH}:{mm}", null, null, null, null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1],
] as unknown as uPlot.Axis.Values;

/** From 1 B to 1 EiB. */
const BINARY_STEPS = Array.from({ length: 61 }, (_, power) => 2 ** power);
