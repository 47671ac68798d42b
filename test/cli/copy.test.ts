import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { readdir } from "node:fs/promises";
import { createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { createClient, uploadSnapshot } from "../../src/client/index.ts";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import type { Service } from "../../src/service.ts";
import { deleteSnapshot } from "../../src/snapshots/delete-snapshot.ts";
import { assertSameBytes, writeImage } from "../support/image-file.ts";
import { pick, printSeed, seededFraction } from "../support/property.ts";
import { sdkOptions } from "../support/service.ts";
import type { Cleanup } from "../support/temporary-directory.ts";
import { notedIn } from "./_noted.ts";
import { startTwoServices } from "./_two-services.ts";

/** How often a copy is killed; the full count is asked for by a variable. */
const KILLS = Number(process.env["VARVE_COPY_KILLS"] ?? 6);
const BLOCKS = 96;
const CONCURRENCY = 4;

function clientFor(t: Cleanup, service: Service) {
  const client = createClient(sdkOptions(service));
  t.after(() => client.close());
  return client;
}

/** A way to the destination that tells what is about to be asked, and which blocks are stored. */
async function startWitness(
  t: Cleanup,
  endpoint: string,
  {
    onAcknowledged = () => undefined,
    beforeAsked = async () => undefined,
  }: {
    readonly onAcknowledged?: (path: string) => void;
    readonly beforeAsked?: (request: string) => Promise<void>;
  },
): Promise<string> {
  const target = new URL(endpoint);
  const server: Server = createServer(async (incoming, outgoing) => {
    const { method, url, headers } = incoming;
    await beforeAsked(`${method} ${url}`);
    const address = { hostname: target.hostname, port: target.port, method, path: url };
    // The signature covers the host, which the services verify as it was received.
    const onward = httpRequest({ ...address, headers }, (response) => {
      outgoing.writeHead(response.statusCode ?? 500, response.headers);
      response.pipe(outgoing);
      if (method === "PUT" && response.statusCode === 201) onAcknowledged(url ?? "");
    });
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a copy killed again and again goes on, and sends next to nothing twice", async (t) => {
  const fraction = seededFraction(printSeed(t));
  const { source, destination, folder, run } = await startTwoServices(t);
  const image = join(folder, "image.raw");
  const contents = Object.fromEntries(Array.from({ length: BLOCKS }, (_, i) => [i, i + 1]));
  await writeImage(image, BLOCKS * BLOCK_SIZE_BYTES, contents);
  const { snapshotId } = await uploadSnapshot(clientFor(t, source), { path: image });
  const puts = new Map<string, number>();
  let killAt = Number.POSITIVE_INFINITY;
  let child: ChildProcess | undefined;
  const witness = await startWitness(t, destination.endpoint, {
    onAcknowledged(path) {
      puts.set(path, (puts.get(path) ?? 0) + 1);
      if (--killAt <= 0) child?.kill("SIGKILL");
    },
  });
  const args = ["copy", snapshotId, "--to", witness, "--to-profile", "other", "--verify"];
  const copy = () =>
    run([...args, "--json", "--concurrency", String(CONCURRENCY)], {
      onStart: (started) => {
        child = started;
      },
    });
  const logs = join(folder, "state", "varve", "copies");
  const findNoted = async () => {
    const [name = "none"] = await readdir(logs).catch(() => []);
    return notedIn(join(logs, name));
  };
  let killed = 0;
  for (let i = 0; i < KILLS; i++) {
    killAt = 1 + pick(fraction, Math.ceil((2 * BLOCKS) / KILLS));
    const [noted, before] = [await findNoted(), new Map(puts)];
    const { code, stderr } = await copy();
    const again = [...puts].filter(([path, count]) => count > (before.get(path) ?? 0));
    const indexes = again.map(([path]) => Number(/\/blocks\/(\d+)/.exec(path)?.[1]));
    const known = indexes.filter((index) => noted.has(index));
    assert.deepEqual(known, [], "what was noted is not sent again");
    if (code === null) killed += 1;
    else assert.equal(code, 0, stderr);
  }
  killAt = Number.POSITIVE_INFINITY;
  const { code, stdout, stderr } = await copy();
  assert.equal(code, 0, stderr);
  const { copies } = JSON.parse(stdout);
  assert.equal(copies[0].verification.differingBlocks, 0);
  assert.equal(puts.size, BLOCKS, "one copy took all of the blocks, each once at least");
  const twice = [...puts.values()].reduce((sum, count) => sum + count - 1, 0);
  t.diagnostic(
    `${killed} kills, ${BLOCKS} blocks: nothing sent again that was noted; ${twice} puts ` +
      "repeated, of blocks that were under way at a kill",
  );
  assert.ok(killed > 0);
  // Those under way when the process was killed, and acknowledged to nobody.
  assert.ok(twice <= killed * CONCURRENCY, `${twice} sent again`);
  const restored = join(folder, "restored.raw");
  const download = ["download", copies[0].snapshotId, restored, "--profile", "other"];
  const downloaded = await run([...download, "--endpoint", destination.endpoint]);
  assert.equal(downloaded.code, 0, downloaded.stderr);
  await assertSameBytes(restored, image);
});

test("Ctrl-C ends a copy with what to do next, and the same command goes on", async (t) => {
  const { source, destination, folder, run } = await startTwoServices(t);
  const image = join(folder, "image.raw");
  const contents = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [i, i + 1]));
  await writeImage(image, 60 * BLOCK_SIZE_BYTES, contents);
  const { snapshotId } = await uploadSnapshot(clientFor(t, source), { path: image });
  let child: ChildProcess | undefined;
  let acknowledged = 0;
  const witness = await startWitness(t, destination.endpoint, {
    onAcknowledged() {
      acknowledged += 1;
      if (acknowledged === 10) child?.kill("SIGINT");
    },
  });
  const args = ["copy", snapshotId, "--to", witness, "--to-profile", "other", "--concurrency", "2"];
  const onStart = (started: ChildProcess) => {
    child = started;
  };
  const cut = await run(args, { onStart });
  assert.equal(cut.code, 130, cut.stderr);
  assert.match(
    cut.stderr,
    /^varve: Interrupted\. What is done is kept in snap-\w+: go on with the same command\.\n$/,
  );
  const { code, stderr } = await run(args);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /: \d+ blocks sent \([^)]*\), (?:9|1\d) sent before\.\n$/);
});

test("from a service that does as AWS does, with quotas and lag, into a plain one", async (t) => {
  const emulation = { aws: true, quotas: true, lagSeconds: 1 };
  const config = { source: { emulation }, destination: { region: "eu-west-1" } };
  const { source, folder, run, to: address } = await startTwoServices(t, config);
  const to = [...address, "--to-region", "eu-west-1"];
  const client = clientFor(t, source);
  const image = join(folder, "image.raw");
  await writeImage(image, 30 * BLOCK_SIZE_BYTES, { 0: 1, 3: 0, 29: 2 });
  const { snapshotId: first } = await uploadSnapshot(client, { path: image });
  const copied = await run(["copy", first, ...to, "--json", "--verify"]);
  assert.equal(copied.code, 0, copied.stderr);
  await writeImage(image, 30 * BLOCK_SIZE_BYTES, { 0: 5, 3: 0, 29: 2 });
  const upload = { path: image, parentSnapshotId: first };
  const { snapshotId: second } = await uploadSnapshot(client, upload);
  const { code, stdout, stderr } = await run(["copy", second, ...to, "--json", "--verify"]);
  assert.equal(code, 0, stderr);
  const { copies } = JSON.parse(stdout);
  assert.equal(copies[0].parentSnapshotId, JSON.parse(copied.stdout).copies[0].snapshotId);
  assert.equal(copies[0].blocksSent, 1);
  assert.equal(copies[0].verification.differingBlocks, 0);
});

test("a copy whose base goes meanwhile is begun anew, which is told", async (t) => {
  const { source, destination, folder, run, to } = await startTwoServices(t);
  const client = clientFor(t, source);
  const image = join(folder, "image.raw");
  await writeImage(image, 4 * BLOCK_SIZE_BYTES, { 0: 1, 3: 2 });
  const { snapshotId: first } = await uploadSnapshot(client, { path: image });
  const { copies } = JSON.parse((await run(["copy", first, ...to, "--json"])).stdout);
  const base = copies[0].snapshotId;
  await writeImage(image, 4 * BLOCK_SIZE_BYTES, { 0: 5, 3: 2 });
  const upload = { path: image, parentSnapshotId: first };
  const { snapshotId: second } = await uploadSnapshot(client, upload);
  const { core, firstKey } = destination;
  const witness = await startWitness(t, destination.endpoint, {
    async beforeAsked(request) {
      if (request === "POST /snapshots") await deleteSnapshot(core, firstKey.key.account, base);
    },
  });
  const { code, stderr } = await run(["copy", second, "--to", witness, "--to-profile", "other"]);
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    new RegExp(`^The copy of ${second} begins anew: ${base} was deleted\\.$`, "m"),
  );
});

test("a copy whose original goes before both are compared is kept, and told of", async (t) => {
  const { source, destination, folder, run } = await startTwoServices(t);
  const image = join(folder, "image.raw");
  await writeImage(image, BLOCK_SIZE_BYTES, { 0: 1 });
  const client = clientFor(t, source);
  const { core, firstKey } = source;
  const upload = async () => (await uploadSnapshot(client, { path: image })).snapshotId;
  for (const command of ["copy", "sync"]) {
    const id = await upload();
    const witness = await startWitness(t, destination.endpoint, {
      async beforeAsked(request) {
        // Whether it knows of the copy by now, before anything is compared.
        if (!/^GET \/snapshots\/[^/]+\/blocks\?/.test(request)) return;
        await deleteSnapshot(core, firstKey.key.account, id);
      },
    });
    const what = command === "copy" ? id : "--all";
    const to = ["--to", witness, "--to-profile", "other", "--verify", "--json"];
    const { code, stdout, stderr } = await run([command, what, ...to]);
    assert.equal(code, 1, stderr);
    const { copies, vanished = [] } = JSON.parse(stdout);
    assert.deepEqual([copies.length, vanished], [1, []]);
    assert.deepEqual([copies[0].sourceSnapshotId, copies[0].verification], [id, undefined]);
    const told = `${copies[0].snapshotId} from ${id}`;
    const { error } = JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "");
    assert.equal(error.code, "NotCompared");
    assert.match(error.message, new RegExp(`before both were compared: ${told}\\.$`));
    assert.match(stderr, /"event":"not-compared"/);
  }
});

test("what is wrong with a copy's command line or its other end is told", async (t) => {
  const { run, to, folder } = await startTwoServices(t);
  const unknown = "snap-0123456789abcdef0";
  const same = await run(["copy", unknown]);
  assert.equal(same.code, 2, same.stderr);
  assert.match(same.stderr, /^varve: Source and destination are the same\. Name the other/);
  const missing = await run(["copy", unknown, ...to]);
  assert.equal(missing.code, 3, missing.stderr);
  const nobody = await run([
    "copy",
    unknown,
    "--to",
    "http://127.0.0.1:9",
    "--to-profile",
    "other",
  ]);
  assert.equal(nobody.code, 5, nobody.stderr);
  assert.match(nobody.stderr, /Cannot reach http:\/\/127\.0\.0\.1:9: connection refused/);
  const strangers = await run(["copy", unknown, ...to.slice(0, 2)], { cwd: folder });
  assert.equal(strangers.code, 4, strangers.stderr);
});
