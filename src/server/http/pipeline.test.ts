import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { PIPELINED_COUNT_MAX } from "../../model/limits.ts";
import { Pipeline } from "./pipeline.ts";

test("Of requests sent far ahead, Node reads no more than may wait", async (t) => {
  const answering = Promise.withResolvers<boolean>();
  const pipeline = new Pipeline(() => answering.promise);
  let readCount = 0;
  const server = createServer((req, res) => {
    readCount += 1;
    pipeline.take(req, res);
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => undefined);
  // One read of a socket takes 64 KiB.
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2_000));
  await once(socket, "close");
  assert.equal(readCount, PIPELINED_COUNT_MAX);
  answering.resolve(false);
  await pipeline.drain();
});
