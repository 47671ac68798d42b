import { type Clock, repeat } from "./base/clock.ts";
import { randomUuid } from "./base/random.ts";
import { DiskFullError } from "./model/errors.ts";
import { type Logger, logger } from "./model/log.ts";
import type { Store } from "./open-store.ts";
import type { TlsIdentity } from "./server/http-server.ts";
import { listenForScrapes, type MetricsAddress } from "./server/metrics-server.ts";
import type { ClockedConfig } from "./service-config.ts";
import { AuditLog } from "./signals/audit-log.ts";
import { EventLoopDelay } from "./signals/event-loop.ts";
import { ServiceMetrics } from "./signals/metrics.ts";
import { RequestSignals, type ServerSignals } from "./signals/signals.ts";
import { type Engine, StatusBoard } from "./signals/status-board.ts";
import type { StoreWatch } from "./signals/store-watch.ts";
import { Tracing } from "./signals/tracing.ts";
import { readVersion } from "./signals/version.ts";
import { Webhook } from "./signals/webhook.ts";
import type { Core } from "./snapshots/core.ts";

/** How often the measure of the hour is taken again: a restart loses no more of it. */
const MEASURE_INTERVAL_MS = 60_000;

/** What tells those who operate the service how it is; made before the store is worked with. */
export interface Signals {
  /** To be told of what the store does. */
  readonly watch: StoreWatch;
  /** Begins to tell: from now on there is something to tell of. */
  start(core: Core): Promise<ServerSignals>;
  /** Address at which metrics are scraped, once it has begun; undefined where they are not. */
  readonly metricsEndpoint: string | undefined;
  /** Goes on in new files, for whoever renamed those that are written to. */
  reopenFiles(): Promise<void>;
  /** Has new scrapers see another certificate; see `MetricsServer`. */
  renewCertificate(identity: TlsIdentity): void;
  /** Ends looking; nothing is told after that. */
  stop(): Promise<void>;
  /** Closes what is written to: after the last request. */
  close(): Promise<void>;
}

/** Makes them. Rejects with the system's error where a file of theirs cannot be opened. */
export async function makeSignals(config: ClockedConfig, store: Store): Promise<Signals> {
  const { clock } = config;
  const log = logger(config.log, clock);
  const version = readVersion();
  const audit = config.audit && (await openAudit(config.audit, log));
  const webhook = makeWebhook(config, store, log);
  const metrics = config.metrics && new ServiceMetrics();
  const tracing = Tracing.ofProgram(version);
  const requests = new RequestSignals(clock, metrics && ((request) => metrics.ended(request)));
  const eventLoop = new EventLoopDelay(clock);
  const running: { stop(): Promise<void> }[] = [eventLoop];
  let scrapes: Awaited<ReturnType<typeof serveMetrics>> | undefined;
  return {
    watch: makeWatch(clock, requests, { metrics, tracing }),
    get metricsEndpoint() {
      return scrapes?.endpoint;
    },
    async start(core) {
      const board = makeBoard({ config, store, core, version, requests, eventLoop }, [
        ...(audit ? [auditEngine(audit)] : []),
        ...(webhook ? [webhookEngine(webhook)] : []),
      ]);
      running.push({ stop: () => board.idle() });
      if (!store.isReadOnly) {
        const measure = async () => {
          if (core.leads()) await board.measure();
        };
        running.push(takeMeasures(clock, log, { measure }));
        await store.catalog.notices.turn(webhook !== undefined);
      }
      if (webhook) running.push(webhook);
      webhook?.start();
      if (metrics && config.metrics) {
        metrics.describe({ core, requests, board, version, webhook });
        const server = await serveMetrics(metrics, config.metrics, log);
        scrapes = server;
        running.push({ stop: () => server.close() });
      }
      return { requests, board, audit, tracing };
    },
    renewCertificate: (identity) => scrapes?.renew(identity),
    async reopenFiles() {
      await audit?.reopen();
    },
    async stop() {
      await Promise.all(running.map((each) => each.stop()));
    },
    async close() {
      await audit?.close();
    },
  };
}

/** Times what the store does, and puts spans around it, where somebody wants to know. */
function makeWatch(
  clock: Clock,
  { tally }: RequestSignals,
  { metrics, tracing }: { metrics: ServiceMetrics | undefined; tracing: Tracing | undefined },
): StoreWatch {
  const timed = async <T>(work: () => Promise<T>, done: (durationMs: number) => void) => {
    const startMs = clock.monotonicMs();
    const result = await work();
    done(clock.monotonicMs() - startMs);
    return result;
  };
  return {
    append(batch, work) {
      const { recordCount: records, sizeBytes: bytes } = batch;
      const spanned = tracing
        ? () => tracing.batch("segment append", { records, bytes }, work)
        : work;
      if (!metrics) return spanned();
      return timed(spanned, (durationMs) => metrics.appended(batch, durationMs));
    },
    commit(changes, work) {
      const spanned = tracing ? () => tracing.batch("catalog commit", { changes }, work) : work;
      if (!metrics) return spanned();
      return timed(spanned, (durationMs) => metrics.committed(durationMs));
    },
    committed: (batch, writes) => tally.committed(batch, writes),
  };
}

interface BoardParts {
  readonly config: ClockedConfig;
  readonly store: Store;
  readonly core: Core;
  readonly version: string;
  readonly requests: RequestSignals;
  readonly eventLoop: EventLoopDelay;
}

function makeBoard(
  { config, store, core, version, requests, eventLoop }: BoardParts,
  engines: readonly Engine[],
): StatusBoard {
  return new StatusBoard({
    ...{ core, segments: store.segments, freeBytes: () => store.room.freeBytes() },
    engines: [...store.engines, diskEngine(store), ...engines],
    ...{ activity: requests.activity, tally: requests.tally },
    inFlight: () => requests.inFlight,
    eventLoopDelayMs: () => eventLoop.p99Ms,
    ...{ processId: randomUuid(config.random).slice(0, 8), version },
  });
}

function takeMeasures(clock: Clock, log: Logger, board: Pick<StatusBoard, "measure">) {
  return repeat(clock, MEASURE_INTERVAL_MS, {
    work: () => board.measure(),
    onError: (error) => log("Measuring the store failed", { error }),
  });
}

async function serveMetrics(metrics: ServiceMetrics, address: MetricsAddress, log: Logger) {
  const { host, tls } = address;
  const onError = (error: unknown) => log("Metrics could not be told", { error });
  try {
    const server = await listenForScrapes(metrics, address, onError);
    const at = host.includes(":") ? `[${host}]` : host;
    const endpoint = `${tls ? "https" : "http"}://${at}:${server.port}/metrics`;
    return { ...server, endpoint };
  } catch (cause) {
    const where = `${host}:${address.port}`;
    const { message } = cause as Error;
    throw new Error(`Cannot listen for scrapes on ${where}: ${message}`, { cause });
  }
}

async function openAudit(
  { path, withData = false }: NonNullable<ClockedConfig["audit"]>,
  log: Logger,
): Promise<AuditLog> {
  const opening = AuditLog.open({
    ...{ path, withData },
    onChange(error) {
      if (error) log("The audit log cannot be written; what it should note is refused", { error });
      else log("The audit log can be written again", {}, "info");
    },
  });
  return opening.catch((cause: Error) => {
    throw new Error(`Cannot open the audit log ${path}: ${cause.message}`, { cause });
  });
}

function makeWebhook(
  { webhook, clock, random }: ClockedConfig,
  { catalog }: Store,
  log: Logger,
): Webhook | undefined {
  if (!webhook) return undefined;
  const url = new URL(webhook.url);
  if (url.username !== "" || url.password !== "") {
    throw new RangeError("webhook.url has a user name or a password in it; sign with a secret");
  }
  const { notices, snapshots } = catalog;
  return new Webhook({ url, secret: webhook.secret, notices, snapshots, clock, random, log });
}

/** Not one of those that a process is not ready without: reading goes on while it is full. */
function diskEngine({ room }: Store): Engine {
  return {
    name: "disk",
    check: async () => undefined,
    trouble() {
      try {
        room.checkRoom();
        return undefined;
      } catch (error) {
        if (error instanceof DiskFullError) return "It is full: no new data is taken";
        throw error;
      }
    },
  };
}

function auditEngine(audit: AuditLog): Engine {
  return {
    name: "audit",
    check: async () => undefined,
    trouble: () => audit.failure && `It cannot be written: ${audit.failure.message}`,
  };
}

function webhookEngine(webhook: Webhook): Engine {
  return { name: "webhook", check: async () => undefined, trouble: () => webhook.trouble };
}
