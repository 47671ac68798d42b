import { type Clock, repeat } from "./base/clock.ts";
import { randomUuid } from "./base/random.ts";
import { DiskFullError } from "./model/errors.ts";
import { type Logger, logger } from "./model/log.ts";
import type { Store } from "./open-store.ts";
import type { ClockedConfig } from "./service-config.ts";
import { AuditLog } from "./signals/audit-log.ts";
import { EventLoopDelay } from "./signals/event-loop.ts";
import { RequestSignals, type ServerSignals } from "./signals/signals.ts";
import { type Engine, StatusBoard } from "./signals/status-board.ts";
import type { StoreWatch } from "./signals/store-watch.ts";
import { readVersion } from "./signals/version.ts";
import type { Core } from "./snapshots/core.ts";

/** How often the measure of the hour is taken again: a restart loses no more of it. */
const MEASURE_INTERVAL_MS = 60_000;

/** What tells those who operate the service how it is; made before the store is worked with. */
export interface Signals {
  /** To be told of what the store does. */
  readonly watch: StoreWatch;
  /** Begins to tell: from now on there is something to tell of. */
  start(core: Core): ServerSignals;
  /** Goes on in new files, for whoever renamed those that are written to. */
  reopenFiles(): Promise<void>;
  /** Ends looking; nothing is told after that. */
  stop(): Promise<void>;
  /** Closes what is written to: after the last request. */
  close(): Promise<void>;
}

/** Makes them. Rejects with the system's error where a file of theirs cannot be opened. */
export async function makeSignals(config: ClockedConfig, store: Store): Promise<Signals> {
  const { clock, random } = config;
  const log = logger(config.log, clock);
  const audit = config.audit && (await openAudit(config.audit, log));
  const requests = new RequestSignals(clock);
  const eventLoop = new EventLoopDelay(clock);
  const running: { stop(): Promise<void> }[] = [eventLoop];
  let board: StatusBoard | undefined;
  return {
    watch: {
      append: (_batch, work) => work(),
      commit: (_changeCount, work) => work(),
      committed: (batch, writes) => requests.tally.committed(batch, writes),
    },
    start(core) {
      const started = new StatusBoard({
        ...{ core, segments: store.segments, freeBytes: () => store.room.freeBytes() },
        engines: [...store.engines, diskEngine(store), ...(audit ? [auditEngine(audit)] : [])],
        ...{ activity: requests.activity, tally: requests.tally },
        inFlight: () => requests.inFlight,
        eventLoopDelayMs: () => eventLoop.p99Ms,
        ...{ processId: randomUuid(random).slice(0, 8), version: readVersion() },
      });
      board = started;
      running.push(takeMeasures(clock, log, started));
      return { requests, board: started, audit };
    },
    async reopenFiles() {
      await audit?.reopen();
    },
    async stop() {
      await Promise.all(running.map((each) => each.stop()));
      await board?.idle();
    },
    async close() {
      await audit?.close();
    },
  };
}

function takeMeasures(clock: Clock, log: Logger, board: StatusBoard) {
  return repeat(clock, MEASURE_INTERVAL_MS, {
    work: () => board.measure(),
    onError: (error) => log("Measuring the store failed", { error }),
  });
}

function openAudit(
  { path, withData = false }: NonNullable<ClockedConfig["audit"]>,
  log: Logger,
): Promise<AuditLog> {
  return AuditLog.open({
    ...{ path, withData },
    onChange(error) {
      if (error)
        log("The audit log cannot be written; calls it should note are refused", { error });
      else log("The audit log can be written again", {}, "info");
    },
  });
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
