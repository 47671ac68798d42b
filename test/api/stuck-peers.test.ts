import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startService } from "../support/service.ts";

/* Peers that hold a connection and do not go on with it. None of them may keep it. */

/** Longest a half-sent head may take, with the interval at which connections are looked over. */
const HEAD_TIME_MS = 10_000 + 2_000 + 4_000;

function open(t: TestContext, endpoint: string): Socket {
  const { hostname, port } = new URL(endpoint);
  // A half-open client: it does not close its side when the server closes its own.
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on("error", () => undefined);
  t.after(() => socket.destroy());
  return socket;
}

/** True when the server has given the connection up: what is written to it is refused. */
async function isGivenUp(socket: Socket): Promise<boolean> {
  if (!socket.destroyed) {
    socket.write("x");
    await sleep(100);
    socket.write("x");
    await sleep(100);
  }
  return socket.destroyed;
}

test("a peer that never closes its side does not keep the connection", async (t) => {
  const { endpoint } = await startService(t);
  const silent = open(t, endpoint);
  const halfHead = open(t, endpoint);
  await Promise.all([once(silent, "connect"), once(halfHead, "connect")]);
  halfHead.write("GET /snapshots HTTP/1.1\r\nHost: x\r\nX-Half: ");
  let answered = "";
  halfHead.setEncoding("utf8").on("data", (text) => {
    answered += text;
  });
  await sleep(HEAD_TIME_MS);
  assert.match(answered, /^HTTP\/1\.1 408 /);
  assert.ok(await isGivenUp(halfHead), "half a head");
  assert.ok(await isGivenUp(silent), "not a byte");
});

test("bytes that are no request are answered, and the connection is given up", async (t) => {
  const { endpoint } = await startService(t);
  const socket = open(t, endpoint);
  socket.write("\u0001\u0002\u0003\r\n\r\n");
  const [answer] = await once(socket, "data");
  assert.match(String(answer), /^HTTP\/1\.1 400 .*x-amzn-RequestId: /s);
  await sleep(200);
  assert.ok(await isGivenUp(socket));
});

test("a service that ends answers what is asked, and waits for nobody who asks on", async (t) => {
  const service = await startService(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  t.after(() => agent.destroy());
  let [isEnding, lastCount] = [false, 0];
  const ask = async () => {
    const { hostname, port } = new URL(service.endpoint);
    const req = request({ agent, host: hostname, port, path: "/healthz" });
    const [res] = (await once(req.end(), "response")) as [IncomingMessage];
    res.resume();
    await once(res, "end");
    assert.equal(res.statusCode, 200);
    if (isEnding) lastCount += 1;
  };
  const askOn = async () => {
    // Refused at last: nobody listens any more.
    for (;;) await ask();
  };
  const asking = Array.from({ length: 4 }, () => assert.rejects(askOn(), /ECONN|socket hang up/));
  await sleep(50);
  const begun = performance.now();
  const closed = service.close();
  isEnding = true;
  await closed;
  assert.ok(performance.now() - begun < 5_000, "half of the time that requests may take");
  await Promise.all(asking);
  assert.ok(lastCount <= 8, `${lastCount} answers after the end began`);
});
