import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { systemClock } from "../../base/clock.ts";
import { ServiceError } from "../../model/errors.ts";
import { Turns } from "./turns.ts";
import { ClientLeftError } from "./waiting-lines.ts";

test("Turns let a newcomer in before the many that another key has waiting", async () => {
  const turns = new Turns(systemClock);
  const order: string[] = [];
  const work = (name: string) => async () => {
    await systemClock.sleep(1);
    order.push(name);
  };
  const greedy = Array.from({ length: 20 }, (_, i) => turns.run("greedy", work(`greedy ${i}`)));
  const modest = turns.run("modest", work("modest"));
  await Promise.all([...greedy, modest]);
  assert.equal(order.length, 21);
  assert.ok(order.indexOf("modest") <= 4, order.join(", "));
});

test("Turns run two at once, and go on when work fails", async () => {
  const turns = new Turns(systemClock);
  let [running, most] = [0, 0];
  const work = async () => {
    most = Math.max(most, ++running);
    await systemClock.sleep(1);
    running--;
    throw new Error("on purpose");
  };
  const all = Array.from({ length: 9 }, (_, i) => turns.run(`key ${i % 3}`, work));
  const settled = await Promise.allSettled(all);
  assert.ok(settled.every(({ status }) => status === "rejected"));
  assert.equal(most, 2);
  assert.equal(await turns.run("key", async () => "free again"), "free again");
});

test("Turns let other work go on between two pieces", async () => {
  const turns = new Turns(systemClock);
  let between = 0;
  const ticking = setInterval(() => between++, 1);
  const busy = async () => {
    const end = systemClock.monotonicMs() + 5;
    while (systemClock.monotonicMs() < end);
  };
  await Promise.all(Array.from({ length: 20 }, () => turns.run("key", busy)));
  clearInterval(ticking);
  assert.ok(between >= 5, `${between} ticks`);
});

test("Turns rest between two pieces for as long as anything else is under way", async () => {
  let restCount = 0;
  const sleep = async (durationMs: number) => {
    if (durationMs > 0) restCount += 1;
  };
  const turns = new Turns({ ...systemClock, sleep });
  const work = async () => {
    for (let i = 0; i < 5; i++) await turns.rest();
  };
  const request = async () => {
    const end = turns.begin();
    await turns.run("key", work);
    end();
  };
  await Promise.all([request(), request()]);
  assert.equal(restCount, 0, "nothing but such work");
  const end = turns.begin();
  await request();
  assert.equal(restCount, 5);
  end();
  await request();
  assert.equal(restCount, 5);
});

test("Turns do nothing for clients that have left, and let the others in", async () => {
  const turns = new Turns(systemClock);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const running = [turns.run("key", () => held), turns.run("key", () => held)];
  const clients = Array.from({ length: 3 }, () =>
    Object.assign(new EventEmitter(), { closed: false }),
  );
  const begun: number[] = [];
  const waiting = clients.map((client, i) =>
    turns.run("key", async () => void begun.push(i), client),
  );
  clients[1]?.emit("close");
  await assert.rejects(waiting[1] as Promise<void>, ClientLeftError);
  const gone = Object.assign(new EventEmitter(), { closed: true });
  await assert.rejects(
    turns.run("key", async () => assert.fail(), gone),
    ClientLeftError,
  );
  release();
  await Promise.all([...running, waiting[0], waiting[2]]);
  assert.deepEqual(begun, [0, 2]);
  assert.ok(clients.every((client) => client.listenerCount("close") <= 1));
  assert.equal(clients[0]?.listenerCount("close"), 0, "nothing is left of those let in");
});

test("Turns lose no place to a client that leaves just when its turn has come", async () => {
  const turns = new Turns(systemClock);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const running = [turns.run("key", () => held), turns.run("key", () => held)];
  const clients = Array.from({ length: 2 }, () =>
    Object.assign(new EventEmitter(), { closed: false }),
  );
  const waiting = clients.map((client) => turns.run("key", async () => undefined, client));
  release();
  // Each has been called in, and has not come yet.
  await Promise.all(running);
  for (const client of clients) client.emit("close");
  await Promise.allSettled(waiting);
  const last = Array.from({ length: 3 }, () => turns.run("key", async () => "in"));
  assert.deepEqual(await Promise.all(last), ["in", "in", "in"]);
});

test("Turns let nobody in who has waited for too long, and then do nothing for them", async () => {
  const turns = new Turns(systemClock, 20);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const running = [turns.run("key", () => held), turns.run("key", () => held)];
  const client = Object.assign(new EventEmitter(), { closed: false });
  const released = systemClock.sleep(500).then(release);
  const late = turns.run("key", async () => assert.fail("it was refused"), client);
  await assert.rejects(late, (error) => {
    return error instanceof ServiceError && error.code === "RequestThrottledException";
  });
  assert.equal(client.listenerCount("close"), 0);
  await Promise.all([released, ...running]);
  assert.equal(await turns.run("key", async () => "in"), "in");
});

test("Turns lose no place to one whose time is over just when its turn comes", async () => {
  const sleeping: (() => void)[] = [];
  const sleep = (durationMs: number) => {
    if (durationMs === 0) return systemClock.sleep(0);
    const { promise, resolve } = Promise.withResolvers<void>();
    sleeping.push(resolve);
    return promise;
  };
  const turns = new Turns({ ...systemClock, sleep }, 20);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const running = [turns.run("key", () => held), turns.run("key", () => held)];
  const waiting = Array.from({ length: 2 }, () => turns.run("key", async () => "in"));
  release();
  // Each has been called in, and has not come yet.
  await Promise.all(running);
  for (const wake of sleeping) wake();
  assert.deepEqual(await Promise.all(waiting), ["in", "in"]);
});
