import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { systemClock } from "../../base/clock.ts";
import { INTAKE_PIECE_BYTES } from "../../model/limits.ts";
import { type Answer, Intake } from "./intake.ts";

const SMALL = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/** A server whose connections go through an intake, and a client connected to it. */
async function open(t: TestContext, answer: Answer): Promise<{ begun: string[]; client: Socket }> {
  const begun: string[] = [];
  const intakes = new Map<Socket, Intake>();
  const server = createServer();
  server.on("connection", (socket: Socket) => intakes.set(socket, new Intake(socket)));
  server.on("request", (req: IncomingMessage, res: ServerResponse) => {
    begun.push(req.url ?? "");
    void intakes.get(req.socket)?.run(answer, req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  t.after(() => {
    client.destroy();
    server.close();
    server.closeAllConnections();
  });
  await once(client, "connect");
  return { begun, client };
}

/** Reads until so many answers have come. */
async function answersOf(client: Socket, count: number): Promise<void> {
  let text = "";
  client.on("data", (bytes: Buffer) => {
    text += bytes.toString("latin1");
  });
  while (text.split("HTTP/1.1 200").length <= count) await once(client, "data");
}

test("An Intake leaves unread what is sent ahead while a request is answered", async (t) => {
  const { promise: wanted, resolve: goOn } = Promise.withResolvers<void>();
  const count = 2_000;
  const { begun, client } = await open(t, async (_, res) => {
    await wanted;
    res.end("yes");
    return true;
  });
  client.write(SMALL.repeat(count));
  while (begun.length === 0) await systemClock.sleep(1);
  await systemClock.sleep(50);
  assert.ok(begun.length <= INTAKE_PIECE_BYTES / SMALL.length + 1, `${begun.length} have begun`);
  goOn();
  await answersOf(client, count);
  assert.equal(begun.length, count, "each is answered in the end");
});

test("An Intake hands over nothing more after the last answer", async (t) => {
  const { begun, client } = await open(t, async (_, res) => {
    res.writeHead(200, { connection: "close" });
    res.end();
    return false;
  });
  client.write(SMALL.repeat(2_000));
  client.resume();
  await once(client, "close");
  assert.ok(begun.length <= INTAKE_PIECE_BYTES / SMALL.length + 1, `${begun.length} have begun`);
});

test("An Intake hands over whole bodies, of told or untold length, and all else", async (t) => {
  const sizes: number[] = [];
  const { begun, client } = await open(t, async (req, res) => {
    let size = 0;
    for await (const piece of req) size += (piece as Buffer).length;
    sizes.push(size);
    res.end("yes");
    return true;
  });
  const body = "x\r\n\r\n".repeat(40_000);
  const told = `PUT /told HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const piece = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const untold = `PUT /untold HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${piece}`;
  client.write(told + untold + SMALL + told + SMALL);
  await answersOf(client, 5);
  assert.deepEqual(begun, ["/told", "/untold", "/", "/told", "/"]);
  assert.deepEqual(sizes, [body.length, body.length, 0, body.length, 0]);
});
