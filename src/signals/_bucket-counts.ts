import type { Metric } from "prom-client";

/** Counts of values up to each bound, of one label's value. */
interface Counts {
  readonly perBucket: number[];
  sum: number;
  count: number;
}

/** What a histogram is called, and how it counts. */
export interface HistogramShape {
  readonly name: string;
  readonly help: string;
  /** Name of its one label; undefined for none. */
  readonly label?: string | undefined;
  /** Greatest value of each bucket, ascending; one for all beyond comes after them. */
  readonly bounds: readonly number[];
}

/**
 * A histogram that a registry of `prom-client` can tell, for where values are counted with every
 * block: that library's own looks each label up by a text made anew for it, and costs three times
 * as much.
 */
export class BucketCounts {
  readonly name: string;
  readonly #shape: HistogramShape;
  readonly #counts = new Map<string, Counts>();

  constructor(shape: HistogramShape) {
    this.name = shape.name;
    this.#shape = shape;
    // Without a label, there is something to tell from the beginning.
    if (shape.label === undefined) this.#countsOf("");
  }

  /** Counts a value, under that value of the label. */
  observe(value: number, label = ""): void {
    const counts = this.#countsOf(label);
    const { bounds } = this.#shape;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    counts.perBucket[bucket] = (counts.perBucket[bucket] ?? 0) + 1;
    counts.sum += value;
    counts.count += 1;
  }

  /** As the registry takes it: it asks for this, and for the name, alone. */
  get metric(): Metric {
    const { name } = this.#shape;
    return { name, get: async () => this.#told() } as unknown as Metric;
  }

  #countsOf(label: string): Counts {
    const known = this.#counts.get(label);
    if (known) return known;
    const perBucket = new Array<number>(this.#shape.bounds.length + 1).fill(0);
    const counts = { perBucket, sum: 0, count: 0 };
    this.#counts.set(label, counts);
    return counts;
  }

  #told() {
    const { name, help, label, bounds } = this.#shape;
    const values = [...this.#counts].flatMap(([labelValue, { perBucket, sum, count }]) => {
      const labels = label === undefined ? {} : { [label]: labelValue };
      let total = 0;
      const buckets = perBucket.map((counted, i) => {
        total += counted;
        const le = bounds[i] ?? "+Inf";
        return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: total };
      });
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: count },
      ];
    });
    return { name, help, type: "histogram", values, aggregator: "sum" };
  }
}
