import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openPostgresCatalog } from "../../src/catalog/postgres/postgres-catalog.ts";
import {
  type Client,
  ClientError,
  completeSnapshot,
  createAccessKey,
  createClient,
  deleteAccessKey,
  deleteSnapshot,
  getCollection,
  putSnapshotBlock,
  startCollection,
  startSnapshot,
  updateAccessKey,
} from "../../src/client/index.ts";
import { POSTGRES_MISSING, postgresDatabase, query, startPostgres } from "../support/postgres.ts";
import { blockContents, printSeed } from "../support/property.ts";
import { waitUntil } from "../support/wait-until.ts";
import { anywhere, check, type Written, writeUntil } from "./_load.ts";
import { type Server, startServer } from "./cluster-server.ts";
import { findOrder } from "./linearizable.ts";
import { recordHistories } from "./metadata-history.ts";
import { segmentsPlace } from "./segments-place.ts";

/*
 * Several server processes on one catalog and one bucket, or a folder that they share as they would
 * one, where no object store is installed; their clocks are minutes apart.
 */

// Without PostgreSQL nothing here can be; on a server that is given, there is none to restart.
const skip = POSTGRES_MISSING || Boolean(process.env["VARVE_TEST_POSTGRES"]);

test("nothing acknowledged is lost when processes are killed, stopped, and the database restarts", {
  skip,
}, async (t) => {
  const seed = printSeed(t);
  const postgres = await startPostgres();
  t.after(() => postgres.remove());
  const store = { connectionString: postgres.url, segments: await segmentsPlace(t) };
  const skews = [0, -420_000, 540_000];
  const servers = await Promise.all(skews.map((skewMs) => startServer(t, { ...store, skewMs })));
  let clients = servers.map((server) => server.client(1));
  let isOver = false;
  const loads = [1, 2, 3].map((n) =>
    writeUntil(
      () => isOver,
      () => clients,
      seed + n,
    ),
  );
  const loading = Promise.all(loads);
  loading.catch(() => undefined);
  const collecting = collectUntil(
    () => isOver,
    () => clients,
  );
  collecting.catch(() => undefined);
  await sleep(2_000);

  const [killed] = servers.splice(2, 1) as [Server];
  await killed.signal("SIGKILL");
  servers.push(await startServer(t, { ...store, skewMs: 240_000 }));
  clients = servers.map((server) => server.client(1));

  const leader = await leaderOf(store.connectionString, servers);
  await leader.signal("SIGSTOP");
  await waitUntil(
    () => leaderOf(store.connectionString, servers),
    (other) => other !== leader,
    { timeoutMs: 60_000 },
  );
  // A commit that it had under way is waited for as long as the database lets it.
  await waitUntil(
    () => query(store.connectionString, `SELECT 1 FROM processes WHERE name = '${leader.pid}'`),
    (rows) => rows.length === 0,
    { timeoutMs: 60_000 },
  );
  await leader.signal("SIGCONT");
  await waitUntil(
    async () => leader.errors(),
    (said) => /was presumed dead/.test(said),
    {
      timeoutMs: 60_000,
    },
  );

  await postgres.stop("SIGQUIT");
  await sleep(1_000);
  await postgres.start();
  await sleep(2_000);
  isOver = true;
  const written = (await loading).flat();
  await collecting;
  const reading = servers.map((server) => server.client());
  const checks = written.map((each, i) => check(reading[i % reading.length] as Client, each));
  const counts = await Promise.all(checks);
  t.diagnostic(`${written.length} snapshots, ${sum(counts)} blocks read back`);
  await checkCatalog(store.connectionString);
});

test("at two processes at once, one snapshot is started, written and completed once", {
  skip,
}, async (t) => {
  const store = {
    connectionString: await postgresDatabase(t),
    segments: await segmentsPlace(t),
  };
  const servers = await Promise.all(
    [0, 300_000].map((skewMs) => startServer(t, { ...store, skewMs })),
  );
  const clients = servers.map((server) => server.client());
  const all = <T>(work: (client: Client, i: number) => Promise<T>) =>
    Promise.all([...clients, ...clients].map(work));
  for (let round = 0; round < 5; round++) {
    const input = { VolumeSize: 1, ClientToken: `at-once-${round}`, Timeout: 60 };
    const started = await all((client) => startSnapshot(client, input));
    const ids = new Set(started.map(({ SnapshotId }) => SnapshotId));
    assert.equal(ids.size, 1, "one client token, one snapshot");
    const [id = ""] = ids;
    // Everybody writes everything: the same contents, and so the same snapshot, whoever is last.
    await all((client, i) =>
      putSnapshotBlock(client, i % 2, id, { BlockData: blockContents(round * 2 + (i % 2)) }),
    );
    await all((client, i) =>
      putSnapshotBlock(client, 2 + i, id, { BlockData: blockContents(100 + round) }),
    );
    const completion = { ChangedBlocksCount: 6 };
    const answers = await all((client) => completeSnapshot(client, id, completion));
    for (const { Status } of answers) assert.match(Status, /^(pending|completed)$/);
    const blocks = [0, 1].map((index): [number, number] => [index, round * 2 + index]);
    const more = [2, 3, 4, 5].map((index): [number, number] => [index, 100 + round]);
    const expected: Written = { id, blocks: new Map([...blocks, ...more]) };
    for (const client of clients) {
      await waitUntil(
        async () => (await completeSnapshot(client, id, completion)).Status,
        (status) => status === "completed",
      );
      assert.equal(await check(client, expected), 6);
    }
  }
  await checkCatalog(store.connectionString);
});

test("what one process did to a snapshot holds at once for puts at the other", {
  skip,
}, async (t) => {
  const store = {
    connectionString: await postgresDatabase(t),
    segments: await segmentsPlace(t),
  };
  const servers = await Promise.all([startServer(t, store), startServer(t, store)]);
  const [one, other] = servers.map((server) => server.client()) as [Client, Client];
  const put = (id: string, index: number, contents: number) =>
    putSnapshotBlock(one, index, id, { BlockData: blockContents(contents) });
  const begun = async () => {
    const { SnapshotId: id } = await startSnapshot(one, { VolumeSize: 1 });
    await put(id, 0, 1);
    return id;
  };
  const completed = await begun();
  await completeSnapshot(other, completed, { ChangedBlocksCount: 1 });
  // Known contents, new ones, and what is refused for another reason as well.
  for (const [index, contents] of [
    [1, 1],
    [2, 77],
    [5_000, 78],
  ] as const) {
    await assert.rejects(put(completed, index, contents), /already completed/);
  }
  for (const index of [1, 5_000]) {
    const deleted = await begun();
    await deleteSnapshot(other, deleted);
    const isGone = (error: unknown) =>
      error instanceof ClientError && error.code === "ResourceNotFoundException";
    await assert.rejects(put(deleted, index, 2), isGone);
    await assert.rejects(put(deleted, index, 2), isGone);
  }
});

test("what one process did to an access key holds at once for puts at the other", {
  skip,
}, async (t) => {
  const store = { connectionString: await postgresDatabase(t), segments: await segmentsPlace(t) };
  const servers = await Promise.all([startServer(t, store), startServer(t, store)]);
  const [one, other] = servers as [Server, Server];
  const manager = other.client();
  // The last one in charge could not be changed.
  await createAccessKey(manager);
  const { AccessKeyId, SecretAccessKey } = await createAccessKey(manager);
  const credentials = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey };
  const user = createClient({ endpoint: one.endpoint, credentials, attemptsMax: 1 });
  t.after(() => user.close());
  const { SnapshotId: id } = await startSnapshot(user, { VolumeSize: 1 });
  const put = (index: number, contents: number) =>
    putSnapshotBlock(user, index, id, { BlockData: blockContents(contents) });
  const refused = async (code: string) => {
    const isRefused = (error: unknown) => error instanceof ClientError && error.code === code;
    // Known contents, new ones, and what is wrong for another reason as well.
    await assert.rejects(put(1, 1), isRefused);
    await assert.rejects(put(2, 90), isRefused);
    await assert.rejects(put(5_000, 91), isRefused);
  };
  await put(0, 1);
  await updateAccessKey(manager, { AccessKeyId, Status: "Inactive" });
  await refused("UnrecognizedClientException");
  await updateAccessKey(manager, { AccessKeyId, Status: "Active" });
  await put(3, 1);
  const Statement = [{ Effect: "Deny", Action: "ebs:PutSnapshotBlock", Resource: "*" }];
  const denying = JSON.stringify({ Version: "2012-10-17", Statement });
  await updateAccessKey(manager, { AccessKeyId, PolicyDocument: denying });
  await refused("AccessDeniedException");
  await deleteAccessKey(manager, AccessKeyId);
  await refused("UnrecognizedClientException");
  await completeSnapshot(manager, id, { ChangedBlocksCount: 2 });
  const completing = () => completeSnapshot(manager, id, { ChangedBlocksCount: 2 });
  await waitUntil(completing, ({ Status }) => Status === "completed");
  assert.equal(
    await check(manager, {
      id,
      blocks: new Map([
        [0, 1],
        [3, 1],
      ]),
    }),
    2,
  );
});

test("every history of the metadata operations at two processes has an order", {
  skip,
}, async (t) => {
  const seed = printSeed(t);
  const store = {
    connectionString: await postgresDatabase(t),
    segments: await segmentsPlace(t),
  };
  const servers = await Promise.all(
    [0, 300_000].map((skewMs) => startServer(t, { ...store, skewMs })),
  );
  const clients = servers.map((server) => server.client(1));
  const options = { seed, tokenCount: 8, callerCount: 6, callCount: 30 };
  const histories = await recordHistories({ ...options, clients: () => clients });
  let count = 0;
  for (const [token, events] of histories) {
    count += events.length;
    assert.ok(findOrder(events), `${token}: ${JSON.stringify(events, undefined, 1)}`);
  }
  t.diagnostic(`${count} calls on ${histories.size} client tokens`);
});

async function leaderOf(connectionString: string, servers: readonly Server[]): Promise<Server> {
  return waitUntil(
    async () => {
      const [row] = await query(
        connectionString,
        `SELECT name FROM leadership JOIN processes ON processes.number = leadership.process
         WHERE leads_until > clock_timestamp()`,
      ).catch(() => []);
      return servers.find(({ pid }) => String(pid) === row?.["name"]);
    },
    (leader) => leader !== undefined,
    { timeoutMs: 60_000 },
  ) as Promise<Server>;
}

/** Asks for collections, at any server, and follows each at another one. */
async function collectUntil(isOver: () => boolean, clients: () => readonly Client[]) {
  let turn = 0;
  const next = () => (turn++ % 97) / 97;
  while (!isOver()) {
    const terms = { GraceSeconds: 0 };
    const { CollectionId } = await anywhere(clients, next, (client) =>
      startCollection(client, terms),
    );
    await waitUntil(
      () => anywhere(clients, next, (client) => getCollection(client, CollectionId)),
      ({ State }) => State !== "Running",
      { timeoutMs: 90_000 },
    );
  }
}

/** What has to agree in the catalog does, and no snapshot is stuck. */
async function checkCatalog(connectionString: string): Promise<void> {
  const catalog = await openPostgresCatalog({ connectionString });
  try {
    assert.deepEqual((await catalog.scrubs.findFaults()).faults, []);
    assert.deepEqual(await catalog.snapshots.inState("sealing"), []);
    assert.deepEqual(await catalog.blocks.damaged(10), []);
  } finally {
    await catalog.close();
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
