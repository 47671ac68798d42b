// The floor of a durable put: node:http, the body in one buffer, SHA-256, one appended file, one
// fdatasync for everything that arrived while the last one ran, 201.

import { hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { serveParent } from "../harness/commands.ts";
import { listenLocally } from "../harness/listen.ts";

interface Waiting {
  readonly body: Buffer;
  readonly checksum: string;
  readonly res: ServerResponse;
}

class Floor {
  readonly #file: FileHandle;
  readonly #idle: Buffer[] = [];
  #waiting: Waiting[] = [];
  #isRunning = false;
  #position = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  receive(req: IncomingMessage, res: ServerResponse): void {
    const size = Number(req.headers["content-length"]);
    const known = this.#idle.pop();
    const body = known?.length === size ? known : Buffer.allocUnsafeSlow(size);
    let filled = 0;
    req.on("data", (piece: Buffer) => {
      body.set(piece, filled);
      filled += piece.length;
    });
    req.on("end", () => {
      this.#waiting.push({ body, checksum: hash("sha256", body, "base64"), res });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const bodies = batch.map(({ body }) => body);
      const { bytesWritten } = await this.#file.writev(bodies, this.#position);
      this.#position += bytesWritten;
      await this.#file.datasync();
      for (const { body, checksum, res } of batch) {
        res.writeHead(201, { "x-amz-Checksum": checksum, "Content-Length": 2 });
        res.end("{}");
        this.#idle.push(body);
      }
    }
    this.#isRunning = false;
  }
}

serveParent({
  async start({ path }: { readonly path: string }) {
    const floor = new Floor(await open(path, "w"));
    return listenLocally(createServer((req, res) => floor.receive(req, res)));
  },
});
