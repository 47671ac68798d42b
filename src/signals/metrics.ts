import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Core } from "../snapshots/core.ts";
import type { TaskDescription } from "../wire/admin/status.ts";
import type { EndedRequest } from "./activity.ts";
import type { RequestSignals } from "./signals.ts";
import type { StatusBoard, StoreTotals } from "./status-board.ts";
import type { Webhook } from "./webhook.ts";

/*
 * What Prometheus scrapes. Names follow its conventions: base units, `_total` for what only grows.
 * Labels have a fixed set of values each: operations, classes of status, states, engines; never an
 * id of anything. Of several processes on one store, each is scraped; what is of the store and not
 * of the process says so in its help, and is the same in all of them.
 */

/** Ends of the buckets for requests, in seconds: a put takes milliseconds, a time-out 60 s. */
const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];
/** The same for one write and its sync. */
const SYNC_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
/** Records that one sync made durable. */
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128];

const TASK_KINDS = [
  "Upload",
  "Sealing",
  "Copy",
  "Collection",
  "Scrub",
  "Verification",
] as const satisfies readonly TaskDescription["Kind"][];

/** What of a service is measured. */
export interface MeasuredService {
  readonly core: Core;
  readonly requests: RequestSignals;
  readonly board: StatusBoard;
  readonly version: string;
  readonly webhook: Webhook | undefined;
}

/** The metrics of one service, in a registry of its own. */
export class ServiceMetrics {
  readonly #registry = new Registry();
  readonly #requests = this.#counter("varve_api_requests_total", "Requests that were answered", [
    "service",
    "operation",
    "status",
  ]);
  readonly #durations = this.#histogram(
    "varve_api_request_duration_seconds",
    "Time from a request's head to the end of its answer",
    { labelNames: ["operation"], buckets: REQUEST_BUCKETS },
  );
  readonly #readBytes = this.#counter(
    "varve_block_read_bytes_total",
    "Bytes of blocks that clients read",
  );
  readonly #writtenBytes = this.#counter(
    "varve_block_written_bytes_total",
    "Bytes of blocks that clients wrote",
  );
  readonly #appends = this.#histogram(
    "varve_segment_append_duration_seconds",
    "Time to append a batch of records to a segment durably",
    { buckets: SYNC_BUCKETS },
  );
  readonly #batches = this.#histogram(
    "varve_segment_append_records",
    "Records that one append made durable together",
    { buckets: BATCH_BUCKETS },
  );
  readonly #appendedBytes = this.#counter(
    "varve_segment_append_bytes_total",
    "Bytes appended to segments",
  );
  readonly #commits = this.#histogram(
    "varve_catalog_commit_duration_seconds",
    "Time to commit a batch of records and writes to the catalog durably",
    { buckets: SYNC_BUCKETS },
  );

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
  }

  /** Begins to tell of a service, too, besides what it is told itself. */
  describe(service: MeasuredService): void {
    this.#describeProcess(service);
    this.#describeStore(service);
    this.#describeUpkeep(service);
    this.#describeWebhook(service);
  }

  /** A request was answered. */
  ended({ service, operation, status, durationMs, readBytes, writtenBytes }: EndedRequest): void {
    this.#requests.inc({ service, operation, status: classOf(status) });
    this.#durations.observe({ operation }, durationMs / 1_000);
    if (readBytes > 0) this.#readBytes.inc(readBytes);
    if (writtenBytes > 0) this.#writtenBytes.inc(writtenBytes);
  }

  /** A batch was appended to a segment. */
  appended(
    { recordCount, sizeBytes }: { readonly recordCount: number; readonly sizeBytes: number },
    durationMs: number,
  ): void {
    this.#appends.observe(durationMs / 1_000);
    this.#batches.observe(recordCount);
    this.#appendedBytes.inc(sizeBytes);
  }

  /** A batch was committed to the catalog. */
  committed(durationMs: number): void {
    this.#commits.observe(durationMs / 1_000);
  }

  /** All of it in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #describeProcess({ requests, version }: MeasuredService): void {
    this.#gauge("varve_build_info", "Always 1; the label is the version", ["version"], (gauge) =>
      gauge.set({ version }, 1),
    );
    this.#gauge("varve_api_requests_in_flight", "Requests being answered", [], (gauge) =>
      gauge.set(requests.inFlight),
    );
    this.#grown("varve_blocks_written_total", "Blocks written to snapshots", ["contents"], () => {
      const { writeCount, duplicateCount, zeroCount } = requests.tally.totals;
      return [
        [{ contents: "new" }, writeCount - duplicateCount - zeroCount],
        [{ contents: "duplicate" }, duplicateCount],
        [{ contents: "zero" }, zeroCount],
      ];
    });
  }

  #describeStore({ board }: MeasuredService): void {
    const of = (totals: StoreTotals): [string, number | undefined][] => [
      ["protected", totals.protectedBytes],
      ["stored", totals.storedBytes],
      ["segments", board.segmentBytes],
    ];
    this.#gauge(
      "varve_store_bytes",
      "Bytes of the store: of completed snapshots in full, of stored records, of all segments",
      ["class"],
      async (gauge) => {
        for (const [name, bytes] of of(await board.totals())) {
          if (bytes !== undefined) gauge.set({ class: name }, bytes);
        }
      },
    );
    this.#gauge("varve_snapshots", "Snapshots of the store by state", ["state"], async (gauge) => {
      const { counts } = await board.totals();
      for (const [state, count] of Object.entries(counts)) {
        gauge.set({ state: state.toLowerCase() }, count);
      }
    });
    const disk = "Bytes free on the disk of the data folder; none where segments lie on no disk";
    this.#gauge("varve_disk_free_bytes", disk, [], async (gauge) => {
      const { freeBytes } = await board.totals();
      if (freeBytes !== undefined) gauge.set(freeBytes);
    });
    const engines = "1 for an engine that does its work, 0 for one that does not, or not all";
    this.#gauge("varve_engine_up", engines, ["engine"], async (gauge) => {
      for (const { Name, State } of await board.engines()) {
        gauge.set({ engine: Name }, State === "Ok" ? 1 : 0);
      }
    });
    this.#gauge("varve_tasks", "Tasks under way, by kind", ["kind"], async (gauge) => {
      const tasks = Map.groupBy(await board.tasks(), ({ Kind }) => Kind);
      for (const kind of TASK_KINDS) {
        gauge.set({ kind: kind.toLowerCase() }, tasks.get(kind)?.length ?? 0);
      }
    });
  }

  #describeUpkeep({ core, board }: MeasuredService): void {
    const damaged = "Records of the store known to be damaged; at most 1,000 are counted";
    this.#gauge("varve_damaged_records", damaged, [], async (gauge) =>
      gauge.set((await board.totals()).damagedCount),
    );
    const verified = "Every record of the store has been read again since then, or written";
    this.#gauge("varve_scrub_verified_timestamp_seconds", verified, [], async (gauge) => {
      const { verifiedSinceMs } = await board.totals();
      if (verifiedSinceMs !== undefined) gauge.set(verifiedSinceMs / 1_000);
    });
    const scrubbed = "Records read again and hashed";
    this.#grown("varve_scrub_records_total", scrubbed, [], () => [
      [{}, core.scrubber.verified.recordCount],
    ]);
    this.#grown("varve_scrub_bytes_total", `Bytes of ${scrubbed.toLowerCase()}`, [], () => [
      [{}, core.scrubber.verified.bytes],
    ]);
    this.#grown("varve_collections_total", "Collections of garbage", ["result"], () => [
      [{ result: "done" }, core.collector.totals.doneCount],
      [{ result: "failed" }, core.collector.totals.failedCount],
    ]);
    this.#grown("varve_collection_removed_bytes_total", "Bytes of records removed", [], () => [
      [{}, core.collector.totals.removedBytes],
    ]);
    const began = "When the latest collection of the store's garbage began";
    this.#gauge("varve_collection_timestamp_seconds", began, [], async (gauge) => {
      const { collectedAtMs } = await board.totals();
      if (collectedAtMs !== undefined) gauge.set(collectedAtMs / 1_000);
    });
    const took = "Time that the latest collection of this process took";
    this.#gauge("varve_collection_duration_seconds", took, [], (gauge) => {
      const { latest } = core.collector;
      if (latest) gauge.set(latest.durationMs / 1_000);
    });
  }

  #describeWebhook({ core, webhook }: MeasuredService): void {
    if (!webhook) return;
    const deliveries = "Deliveries to the webhook, by how they went";
    this.#grown("varve_webhook_deliveries_total", deliveries, ["result"], () => [
      [{ result: "delivered" }, webhook.counts.delivered],
      [{ result: "failed" }, webhook.counts.failed],
      [{ result: "given_up" }, webhook.counts.givenUp],
    ]);
    const waiting = "Notices of the store that wait to be delivered";
    this.#gauge("varve_webhook_notices_waiting", waiting, [], async (gauge) =>
      gauge.set(await core.catalog.notices.count()),
    );
  }

  #counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.#registry] });
  }

  #histogram(name: string, help: string, { labelNames = [], buckets }: HistogramShape): Histogram {
    const registers = [this.#registry];
    return new Histogram({
      ...{ name, help, registers },
      ...{ labelNames: [...labelNames], buckets: [...buckets] },
    });
  }

  /** One that is looked up when it is scraped. */
  #gauge(
    name: string,
    help: string,
    ...[labelNames, set]: readonly [readonly string[], (gauge: Gauge) => void | Promise<void>]
  ): void {
    const gauge: Gauge = new Gauge({
      ...{ name, help, labelNames: [...labelNames], registers: [this.#registry] },
      collect: () => {
        // What is not there any more is not told of.
        gauge.reset();
        return set(gauge);
      },
    });
  }

  /** What only grows and is counted elsewhere. */
  #grown(
    name: string,
    help: string,
    ...[labelNames, read]: readonly [readonly string[], () => readonly Grown[]]
  ): void {
    const counter: Counter = new Counter({
      ...{ name, help, labelNames: [...labelNames], registers: [this.#registry] },
      collect() {
        counter.reset();
        for (const [labels, value] of read()) counter.inc(labels, value);
      },
    });
  }
}

type Grown = readonly [labels: Readonly<Record<string, string>>, value: number];

interface HistogramShape {
  readonly labelNames?: readonly string[];
  readonly buckets: readonly number[];
}

/** `2xx` and so on; `none` where the connection ended before an answer. */
function classOf(status: number): string {
  return status === 0 ? "none" : `${Math.floor(status / 100)}xx`;
}
