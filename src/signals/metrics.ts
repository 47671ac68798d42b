import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { Core } from "../snapshots/core.ts";
import type { TaskDescription } from "../wire/admin/status.ts";
import { BucketCounts, type HistogramShape } from "./_bucket-counts.ts";
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
  /** Counted by service, operation and class of status, with a space between them. */
  readonly #requestCounts = new Map<string, number>();
  readonly #durations = this.#histogram({
    name: "varve_api_request_duration_seconds",
    help: "Time from a request's head to the end of its answer",
    label: "operation",
    bounds: REQUEST_BUCKETS,
  });
  readonly #appends = this.#histogram({
    name: "varve_segment_append_duration_seconds",
    help: "Time to append a batch of records to a segment durably",
    bounds: SYNC_BUCKETS,
  });
  readonly #batches = this.#histogram({
    name: "varve_segment_append_records",
    help: "Records that one append made durable together",
    bounds: BATCH_BUCKETS,
  });
  readonly #commits = this.#histogram({
    name: "varve_catalog_commit_duration_seconds",
    help: "Time to commit a batch of records and writes to the catalog durably",
    bounds: SYNC_BUCKETS,
  });
  #readBytes = 0;
  #writtenBytes = 0;
  #appendedBytes = 0;

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
    this.#describeRequests();
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
    const key = `${service} ${operation} ${classOf(status)}`;
    this.#requestCounts.set(key, (this.#requestCounts.get(key) ?? 0) + 1);
    this.#durations.observe(durationMs / 1_000, operation);
    this.#readBytes += readBytes;
    this.#writtenBytes += writtenBytes;
  }

  /** A batch was appended to a segment. */
  appended(
    { recordCount, sizeBytes }: { readonly recordCount: number; readonly sizeBytes: number },
    durationMs: number,
  ): void {
    this.#appends.observe(durationMs / 1_000);
    this.#batches.observe(recordCount);
    this.#appendedBytes += sizeBytes;
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

  #describeRequests(): void {
    const labels = ["service", "operation", "status"] as const;
    this.#grown("varve_api_requests_total", "Requests that were answered", labels, () =>
      [...this.#requestCounts].map(([key, count]) => {
        const [service = "", operation = "", status = ""] = key.split(" ");
        return [{ service, operation, status }, count];
      }),
    );
    const read = "Bytes of blocks that clients read";
    this.#grown("varve_block_read_bytes_total", read, [], () => [[{}, this.#readBytes]]);
    const written = "Bytes of blocks that clients wrote";
    this.#grown("varve_block_written_bytes_total", written, [], () => [[{}, this.#writtenBytes]]);
    const appended = "Bytes appended to segments";
    this.#grown("varve_segment_append_bytes_total", appended, [], () => [
      [{}, this.#appendedBytes],
    ]);
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

  #histogram(shape: HistogramShape): BucketCounts {
    const counts = new BucketCounts(shape);
    this.#registry.registerMetric(counts.metric);
    return counts;
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

/** `2xx` and so on; `none` where the connection ended before an answer. */
function classOf(status: number): string {
  return status === 0 ? "none" : `${Math.floor(status / 100)}xx`;
}
