import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import { createHttpTransport } from "./http-transport.ts";
import type { OutgoingRequest } from "./transport.ts";

/* The transport against a server that writes whatever bytes a test wants, when it wants. */

const SIZE_MAX = 1_000;

/** Answers the n-th request of a connection; the request's bytes are dropped. */
type Script = (socket: Socket, request: number) => void | Promise<void>;

async function scripted(t: TestContext, script: Script) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    let [text, requests] = ["", 0];
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      if (!text.includes("\r\n\r\n")) return;
      text = "";
      void script(socket, ++requests);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const transport = createHttpTransport({ connectionsMax: 4 });
  t.after(() => {
    transport.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const endpoint = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const get = async (
    more: Partial<OutgoingRequest> = {},
    signal = new AbortController().signal,
  ) => {
    const headers = new Map([["host", endpoint.host]]);
    const request = { endpoint, method: "GET", target: "/", headers, body: new Uint8Array(0) };
    const answer = await transport.exchange(
      { ...request, responseSizeBytesMax: SIZE_MAX, ...more },
      signal,
    );
    return { ...answer, text: Buffer.from(answer.body).toString("latin1") };
  };
  return { get, sockets };
}

const PLAIN = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Twice: a\r\nx-twice:  b \r\n\r\nhello";
const IN_PIECES =
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
  "3;why=not\r\nhel\r\n2\r\nlo\r\n0\r\nX-Late: yes\r\n\r\n";
const INTERIM = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nA: b\r\n\r\n";
const AFTER_WAITING = INTERIM + PLAIN;

for (const [name, bytes] of Object.entries({ PLAIN, IN_PIECES, AFTER_WAITING })) {
  test(`reads ${name} however it is cut, and uses the connection again`, async (t) => {
    const { get, sockets } = await scripted(t, async (socket, request) => {
      const size = [bytes.length, 1, 7, bytes.length - 1][request - 1] ?? 1;
      for (let at = 0; at < bytes.length; at += size) {
        socket.write(bytes.slice(at, at + size), "latin1");
        await setImmediate();
        await setImmediate();
      }
    });
    for (let request = 0; request < 4; request++) {
      const { status, text, headers } = await get();
      assert.deepEqual([status, text], [200, "hello"]);
      if (name !== "IN_PIECES") assert.equal(headers.get("x-twice"), "a, b");
    }
    assert.equal(sockets.length, 1);
  });
}

test("a body without a length ends with its connection", async (t) => {
  const { get, sockets } = await scripted(t, async (socket) => {
    socket.write("HTTP/1.1 200 OK\r\n\r\nhel");
    await setTimeout(20);
    socket.end("lo");
  });
  assert.equal((await get()).text, "hello");
  assert.equal((await get()).text, "hello");
  assert.equal(sockets.length, 2);
});

test("no body follows 204 and 304, whatever is declared", async (t) => {
  const { get, sockets } = await scripted(t, (socket, request) => {
    socket.write(`HTTP/1.1 ${request === 1 ? 204 : 304} x\r\nContent-Length: 9\r\n\r\n`);
  });
  assert.deepEqual([(await get()).status, (await get()).status], [204, 304]);
  assert.equal(sockets.length, 1);
});

const FOR_THE_LAST_TIME = {
  "that says close": "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
  "of HTTP 1.0": "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "about to be idle too long": PLAIN.replace("X-Twice: a", "Keep-Alive: timeout=0"),
};

for (const [name, bytes] of Object.entries(FOR_THE_LAST_TIME)) {
  test(`a response ${name} is its connection's last`, async (t) => {
    const { get, sockets } = await scripted(t, (socket) => void socket.write(bytes));
    for (let request = 0; request < 2; request++) assert.equal((await get()).text, "hello");
    assert.equal(sockets.length, 2);
  });
}

const WRONG = {
  "no HTTP": ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "EPROTO"],
  "a header that is none": ["HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "EPROTO"],
  "a folded header": ["HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "EPROTO"],
  "a length that is no number": ["HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "EPROTO"],
  "two lengths": ["HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "EPROTO"],
  "two ways to tell a length": [
    `${IN_PIECES.replace("\r\n", "\r\nContent-Length: 5\r\n")}`,
    "EPROTO",
  ],
  "an unknown encoding": [IN_PIECES.replace("chunked", "gzip, chunked"), "EPROTO"],
  "a piece without a length": [IN_PIECES.replace("2\r\n", "two\r\n"), "EPROTO"],
  "a piece longer than it says": [IN_PIECES.replace("2\r\n", "1\r\n"), "EPROTO"],
  "more than it declares": [`${PLAIN}, world`, "EPROTO"],
  "another protocol": ["HTTP/1.1 101 Switching Protocols\r\n\r\n", "EPROTO"],
  "a head without end": [`HTTP/1.1 200 OK\r\nA: ${"b".repeat(70_000)}`, "EPROTO"],
  "a body too long": [PLAIN.replace("Length: 5", `Length: ${SIZE_MAX + 1}`), undefined],
  "pieces too long": [
    IN_PIECES.replace("3;why=not\r\nhel", `7d0\r\n${"x".repeat(2_000)}`),
    undefined,
  ],
} as const;

for (const [name, [bytes, code]] of Object.entries(WRONG)) {
  test(`${name} is an error, and the connection's end`, async (t) => {
    const { get, sockets } = await scripted(t, (socket) => {
      socket.write(sockets.length === 1 ? bytes : PLAIN, "latin1");
    });
    await assert.rejects(get(), (error: NodeJS.ErrnoException) => error.code === code);
    assert.equal((await get()).text, "hello");
    assert.equal(sockets.length, 2);
  });
}

test("a connection that ends before, in or between responses", async (t) => {
  const ends: Script[] = [
    (socket) => void socket.destroy(),
    (socket) => void socket.end(PLAIN.slice(0, 10)),
    (socket) => void socket.end(PLAIN.slice(0, -1)),
    (socket) => void socket.end(IN_PIECES.slice(0, -2)),
    (socket) => void socket.resetAndDestroy(),
  ];
  const { get, sockets } = await scripted(t, (socket) => {
    (ends[sockets.length - 1] ?? (() => socket.end(PLAIN)))(socket, 0);
  });
  for (const _ of ends) {
    await assert.rejects(get(), { code: "ECONNRESET" });
  }
  assert.equal((await get()).text, "hello");
  await once(sockets.at(-1) as Socket, "close");
  assert.equal((await get()).text, "hello");
  assert.equal(sockets.length, ends.length + 2);
});

test("what comes without a request ends the connection", async (t) => {
  const { get, sockets } = await scripted(t, async (socket) => {
    socket.write(PLAIN);
    await setTimeout(50);
    socket.write(PLAIN.replace("hello", "wrong"));
  });
  assert.equal((await get()).text, "hello");
  await once(sockets[0] as Socket, "close");
  assert.equal((await get()).text, "hello");
  assert.equal(sockets.length, 2);
});

test("an answer that comes before all was sent is the connection's last", async (t) => {
  const { get, sockets } = await scripted(t, (socket) => {
    socket.pause();
    socket.write(PLAIN);
  });
  const body = new Uint8Array(32 * 1024 * 1024);
  assert.equal((await get({ method: "PUT", body })).text, "hello");
  assert.equal((await get()).text, "hello");
  assert.equal(sockets.length, 2);
});

test("whoever gives up takes only his own request with him", async (t) => {
  const { get, sockets } = await scripted(t, (socket) => {
    if (sockets.length > 1) socket.write(PLAIN);
  });
  const giveUp = new AbortController();
  const abandoned = assert.rejects(get({}, giveUp.signal), /abandoned/);
  await setTimeout(20);
  const other = get();
  giveUp.abort();
  await abandoned;
  assert.equal((await other).text, "hello");
  await assert.rejects(get({}, AbortSignal.abort()), /abandoned/);
});

test("nothing is sent that would end the line it is in", async (t) => {
  const { get } = await scripted(t, (socket) => void socket.write(PLAIN));
  await assert.rejects(get({ target: "/a b" }), { code: "ERR_INVALID_CHAR" });
  const headers = new Map([["x-token", "a\r\nx-other: b"]]);
  await assert.rejects(get({ headers }), { code: "ERR_INVALID_CHAR" });
});
