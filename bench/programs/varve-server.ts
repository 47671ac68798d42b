// A Varve service in a process of its own.

import { openService, type Service } from "../../src/service.ts";
import { serveParent } from "../harness/commands.ts";
import { KEY_PAIR, REGION } from "../harness/target.ts";

const running: Service[] = [];

serveParent({
  async start({ dataDirectory }: { readonly dataDirectory: string }) {
    const address = { host: "127.0.0.1", port: 0, region: REGION };
    const service = await openService({ dataDirectory, ...address, keyPair: KEY_PAIR });
    running.push(service);
    return { endpoint: service.endpoint };
  },
  async stop() {
    for (const service of running) await service.close();
  },
});
