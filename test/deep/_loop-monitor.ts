// Loaded into a server's process before all else: writes every second how late its event loop was
// since its first request, and counts promises that nobody took, into the file that
// VARVE_LOOP_MONITOR names.

import { subscribe } from "node:diagnostics_channel";
import { writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";

const path = process.env["VARVE_LOOP_MONITOR"];
const histogram = monitorEventLoopDelay({ resolution: 10 });
let unhandledCount = 0;

/** What the file holds, as JSON. */
export interface LoopDelay {
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly unhandledCount: number;
}

if (path !== undefined) {
  // While it starts, and loads its code, nobody can wait for an answer.
  subscribe("http.server.request.start", () => histogram.enable());
  process.on("unhandledRejection", () => {
    unhandledCount += 1;
  });
  const write = () => {
    // The histogram counts its own interval of 10 ms as well.
    const [p99Ms, maxMs] = [histogram.percentile(99) / 1e6 - 10, histogram.max / 1e6 - 10];
    writeFileSync(path, JSON.stringify({ p99Ms, maxMs, unhandledCount } satisfies LoopDelay));
  };
  setInterval(write, 1_000).unref();
  process.on("exit", write);
}
