// A Varve service in a process of its own.

import { monitorEventLoopDelay } from "node:perf_hooks";
import { openService, type Service } from "../../src/service.ts";
import { serveParent } from "../harness/commands.ts";
import { KEY_PAIR, REGION } from "../harness/target.ts";

/** Milliseconds between two looks at how late a timer is; each is part of what is measured. */
const LOOK_INTERVAL_MS = 5;

const running: Service[] = [];
const delay = monitorEventLoopDelay({ resolution: LOOK_INTERVAL_MS });

serveParent({
  async start({ dataDirectory }: { readonly dataDirectory: string }) {
    const address = { host: "127.0.0.1", port: 0, region: REGION };
    // No chore in between: most blocks of the seeded store do not exist, and none has to be read.
    const quiet = { scrubDays: 0, collectMinutes: 0 };
    const service = await openService({ dataDirectory, ...address, ...quiet, keyPair: KEY_PAIR });
    running.push(service);
    return { endpoint: service.endpoint };
  },
  /** From now on it is measured how long the main thread is busy with one thing. */
  async watchLoop() {
    delay.reset();
    delay.enable();
  },
  async loopDelay() {
    delay.disable();
    return { p99Ms: delay.percentile(99) / 1e6 - LOOK_INTERVAL_MS };
  },
  async stop() {
    for (const service of running) await service.close();
  },
});
