import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { type Clock, systemClock } from "../../base/clock.ts";
import {
  CONNECTIONS_COUNT_MAX,
  LINGERING_COUNT_MAX,
  UNPROVEN_BODY_MS_MAX,
} from "../../model/limits.ts";
import { Connections } from "./connections.ts";

/** A connection as far as it matters here. */
class FakeSocket extends EventEmitter {
  readonly remoteAddress = "192.0.2.1";
  readonly remotePort: number;
  destroyed = false;

  constructor(port: number) {
    super();
    this.remotePort = port;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit("close");
  }
}

const real = (socket: FakeSocket) => socket as unknown as Socket;

function open(t: TestContext, clock: Clock = systemClock): Connections {
  const connections = new Connections(clock);
  t.after(() => connections.stop());
  return connections;
}

/** As many connections as there are places, the first of them first. */
function fill(connections: Connections): FakeSocket[] {
  return Array.from({ length: CONNECTIONS_COUNT_MAX }, (_, port) => {
    const socket = new FakeSocket(port);
    connections.add(real(socket));
    return socket;
  });
}

test("A newcomer gets the place of the oldest connection without proof", (t) => {
  const connections = open(t);
  const sockets = fill(connections);
  connections.of(real(sockets[0] as FakeSocket)).prove();
  const newcomer = new FakeSocket(60_000);
  connections.add(real(newcomer));
  const closed = sockets.filter(({ destroyed }) => destroyed);
  assert.deepEqual(closed, [sockets[1]], "the first has proof, the second has none");
  assert.ok(!newcomer.destroyed);
});

test("A newcomer is closed only when all others have proof", (t) => {
  const connections = open(t);
  const sockets = fill(connections);
  for (const socket of sockets) connections.of(real(socket)).prove();
  const newcomer = new FakeSocket(60_000);
  connections.add(real(newcomer));
  assert.ok(newcomer.destroyed);
  sockets[7]?.destroy();
  const next = new FakeSocket(60_001);
  connections.add(real(next));
  assert.ok(!next.destroyed, "a place that was left is free");
  assert.equal(sockets.filter(({ destroyed }) => destroyed).length, 1);
});

test("The newcomers of a flood cost each other, never one with proof", (t) => {
  const connections = open(t);
  const [honest] = fill(connections) as [FakeSocket];
  connections.of(real(honest)).prove();
  const flood = Array.from({ length: 5_000 }, (_, i) => new FakeSocket(10_000 + i));
  for (const socket of flood) connections.add(real(socket));
  assert.ok(!honest.destroyed);
  const kept = flood.filter(({ destroyed }) => !destroyed);
  assert.deepEqual(kept, flood.slice(-(CONNECTIONS_COUNT_MAX - 1)), "the latest ones");
});

test("A body that takes too long ends a connection without proof, and no other", async (t) => {
  let nowMs = 0;
  const sleep: Clock["sleep"] = (_, signal) => systemClock.sleep(1, signal);
  const connections = open(t, { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep });
  const [slow, done, proven, silent] = [1, 2, 3, 4].map((port) => new FakeSocket(port)) as [
    FakeSocket,
    FakeSocket,
    FakeSocket,
    FakeSocket,
  ];
  for (const socket of [slow, done, proven, silent]) connections.add(real(socket));
  connections.of(real(slow)).awaitBody();
  connections.of(real(done)).awaitBody()();
  connections.of(real(proven)).awaitBody();
  connections.of(real(proven)).prove();
  nowMs = UNPROVEN_BODY_MS_MAX;
  await systemClock.sleep(20);
  assert.ok(!slow.destroyed, "its time is not over");
  nowMs += 1;
  await systemClock.sleep(20);
  assert.deepEqual(
    [slow, done, proven, silent].map(({ destroyed }) => destroyed),
    [true, false, false, false],
  );
});

test("A connection that is gone can be asked for", (t) => {
  const connections = open(t);
  const socket = new FakeSocket(1);
  connections.add(real(socket));
  socket.destroy();
  const peer = connections.of(real(socket));
  peer.prove();
  peer.awaitBody()();
});

test("Only so many connections are kept open for answers that may not be read", async (t) => {
  const connections = open(t);
  const responses = Array.from({ length: LINGERING_COUNT_MAX + 1 }, () => new EventEmitter());
  const lingers = responses.map((res) => connections.linger(res as unknown as ServerResponse));
  await lingers.at(-1);
  let isOver = false;
  const others = Promise.all(lingers.slice(0, -1)).then(() => {
    isOver = true;
  });
  await systemClock.sleep(20);
  assert.equal(isOver, false);
  for (const res of responses) res.emit("close");
  await others;
});
