import { connect, type Socket } from "node:net";
import { systemClock } from "../../src/base/clock.ts";
import { BLOCK_SIZE_BYTES, PIPELINED_COUNT_MAX } from "../../src/model/limits.ts";
import { UNSIGNED_PAYLOAD } from "../../src/wire/signature.ts";
import { listParts, putParts, startParts } from "../support/operations.ts";
import { encode, encodeHead, sign, type Target, withHeaders } from "../support/raw-http.ts";

/*
 * Clients that mean harm, or have gone mad. They run in a process of their own, so that what they
 * cost themselves does not slow the honest client that is measured beside them.
 */

/** What an attack is to be like. */
export interface AttackOrder {
  readonly kind: keyof typeof ATTACKS;
  readonly target: Target;
  /** A completed snapshot with many blocks, and a pending one. */
  readonly readableId: string;
  readonly pendingId: string;
  /** Connections at once, or a second. */
  readonly count: number;
  readonly seconds: number;
}

/** What came of it. */
export interface AttackReport {
  /** Connections that were opened. */
  readonly opened: number;
  /** Milliseconds the longest connection that never got to a whole head was kept. */
  readonly longestHeadMs: number;
  /** The same of those that never got to the end of a body, without a valid signature. */
  readonly longestBodyMs: number;
  /** Most bytes of one body that left the client. */
  readonly mostBodyBytes: number;
  /** Answers with a status of 200 to 299. */
  readonly successes: number;
}

type Attack = (order: AttackOrder, tally: Tally) => Promise<void>;

class Tally {
  opened = 0;
  longestHeadMs = 0;
  longestBodyMs = 0;
  mostBodyBytes = 0;
  successes = 0;
  readonly sockets = new Set<Socket>();

  open({ endpoint }: Target): Socket {
    const { hostname, port } = new URL(endpoint);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.opened++;
    this.sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.sockets.delete(socket));
    return socket;
  }

  /** A connection of which only the status of the first answer is read. */
  openAndRead(target: Target): Socket {
    const socket = this.open(target);
    socket.once("data", (bytes: Buffer) => {
      if (/^HTTP\/1\.1 2/.test(bytes.toString("latin1", 0, 16))) this.successes++;
    });
    socket.on("data", () => undefined);
    return socket;
  }
}

/** Keeps so many connections open for the time, and does something with each every second. */
async function keepOpen(
  { target, count, seconds }: AttackOrder,
  tally: Tally,
  { begin, go }: { begin: (socket: Socket, index: number) => void; go: (socket: Socket) => void },
): Promise<void> {
  const end = systemClock.monotonicMs() + seconds * 1_000;
  let index = 0;
  while (systemClock.monotonicMs() < end) {
    while (tally.sockets.size < count) begin(tally.openAndRead(target), index++);
    await systemClock.sleep(1_000);
    for (const socket of tally.sockets) go(socket);
  }
}

const HALF_HEAD = "GET /snapshots HTTP/1.1\r\nHost: x\r\nX-Slow: ";

/** Half of the connections never end their head, the other half never their body. */
const slow: Attack = (order, tally) => {
  const { target, pendingId } = order;
  const parts = putParts({ snapshotId: pendingId, blockIndex: 0 }, Buffer.alloc(BLOCK_SIZE_BYTES));
  const right = sign(target, parts, { payloadHash: UNSIGNED_PAYLOAD });
  const { firstKey } = target;
  const key = { ...firstKey.key, secretAccessKey: "not the secret of this access key" };
  const wrong = sign({ ...target, firstKey: { key } }, parts, { payloadHash: UNSIGNED_PAYLOAD });
  // Without a declared hash, the block has to be read before its signature can be judged.
  const heads = [
    encodeHead(wrong),
    encodeHead(withHeaders(wrong, { "x-amz-content-sha256": undefined })),
    encodeHead(withHeaders(right, { authorization: undefined })),
  ];
  return keepOpen(order, tally, {
    begin(socket, index) {
      const startMs = systemClock.monotonicMs();
      const which = index % 2 === 0 ? "longestHeadMs" : "longestBodyMs";
      socket.write(which === "longestHeadMs" ? HALF_HEAD : (heads[index % heads.length] as Buffer));
      socket.once("close", () => {
        tally[which] = Math.max(tally[which], systemClock.monotonicMs() - startMs);
      });
    },
    go: (socket) => socket.write("x"),
  });
};

/** So many new connections every second, which say nonsense or nothing and stay. */
const flood: Attack = async ({ target, count, seconds }, tally) => {
  const slices = 50;
  for (let slice = 0; slice < seconds * slices; slice++) {
    for (let i = 0; i < count / slices; i++) {
      const socket = tally.openAndRead(target);
      if (i % 2 === 0) socket.write("GET /snapshots HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    await systemClock.sleep(1_000 / slices);
  }
};

/** Bodies far larger than any operation takes, with and without a length told. */
const oversize: Attack = async ({ target, pendingId, count, seconds }, tally) => {
  const piece = Buffer.alloc(1024 * 1024, 7);
  const size = 64 * piece.length;
  const block = sign(target, putParts({ snapshotId: pendingId, blockIndex: 0 }, piece), {
    payloadHash: UNSIGNED_PAYLOAD,
  });
  const small = sign(target, startParts({}), { payloadHash: "0".repeat(64) });
  const heads = [block, small].map((raw) => {
    return encodeHead(withHeaders(raw, { "content-length": String(size) }));
  });
  const attempt = async (head: Uint8Array) => {
    const socket = tally.openAndRead(target);
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.write(head);
    for (let sent = 0; sent < size && !socket.destroyed; sent += piece.length) {
      if (socket.write(piece)) continue;
      const drained = new Promise<void>((resolve) => socket.once("drain", () => resolve()));
      await Promise.race([drained, closed]);
    }
    const left = socket.bytesWritten - socket.writableLength - head.length;
    tally.mostBodyBytes = Math.max(tally.mostBodyBytes, left);
    socket.destroy();
    await closed;
  };
  const end = systemClock.monotonicMs() + seconds * 1_000;
  while (systemClock.monotonicMs() < end) {
    await Promise.all(Array.from({ length: count }, (_, i) => attempt(heads[i % 2] as Uint8Array)));
  }
};

/** The largest pages, so many at once, again and again. */
const pages: Attack = async ({ target, readableId, count, seconds }, tally) => {
  const request = encode(withHeaders(sign(target, listParts(readableId)), { connection: "close" }));
  const end = systemClock.monotonicMs() + seconds * 1_000;
  const one = async () => {
    while (systemClock.monotonicMs() < end) {
      const socket = tally.openAndRead(target);
      socket.write(request);
      await new Promise<void>((resolve) => socket.once("close", () => resolve()));
    }
  };
  await Promise.all(Array.from({ length: count }, one));
};

/** Large answers are asked for, many ahead on each connection, and not one is read. */
const unread: Attack = async ({ target, readableId, count, seconds }, tally) => {
  const request = encode(sign(target, listParts(readableId)));
  for (let i = 0; i < count; i++) {
    const socket = tally.open(target);
    socket.pause();
    for (let ahead = 0; ahead < PIPELINED_COUNT_MAX; ahead++) socket.write(request);
  }
  await systemClock.sleep(seconds * 1_000);
};

/** Requests without end, far ahead of their answers, of which none is read. */
const ahead: Attack = async ({ target, readableId, count, seconds }, tally) => {
  const request = encode(sign(target, listParts(readableId)));
  const unsigned = Buffer.from("DELETE /x HTTP/1.1\r\nHost: x\r\n\r\n");
  const piles = [request, unsigned].map((bytes) => Buffer.concat(Array(2_000).fill(bytes)));
  const end = systemClock.monotonicMs() + seconds * 1_000;
  while (systemClock.monotonicMs() < end) {
    while (tally.sockets.size < count) {
      const socket = tally.open(target);
      socket.pause();
      // A paused socket does not see its end; what cannot be written tells it.
      socket.write(piles[tally.opened % 2] as Uint8Array);
    }
    for (const socket of tally.sockets) {
      if (socket.writableLength === 0) socket.write(piles[1] as Uint8Array);
    }
    await systemClock.sleep(50);
  }
};

/** All of them by name. */
export const ATTACKS = { slow, patient: slow, flood, oversize, pages, unread, ahead };

/** Carries an attack out, and leaves nothing of it open. */
export async function attack(order: AttackOrder): Promise<AttackReport> {
  const tally = new Tally();
  await ATTACKS[order.kind](order, tally);
  const { opened, longestHeadMs, longestBodyMs, mostBodyBytes, successes } = tally;
  for (const socket of tally.sockets) socket.destroy();
  return { opened, longestHeadMs, longestBodyMs, mostBodyBytes, successes };
}
