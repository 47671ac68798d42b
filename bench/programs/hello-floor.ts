// The floor of a start: Node itself, and an HTTP server that answers anything with nothing.

import { createServer } from "node:http";
import { serveParent } from "../harness/commands.ts";
import { listenLocally } from "../harness/listen.ts";

serveParent({
  start: () =>
    listenLocally(
      createServer((_, res) => {
        res.writeHead(404, { "Content-Length": 0 });
        res.end();
      }),
    ),
});
