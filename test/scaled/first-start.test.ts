import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import {
  FirstKeyUnseenError,
  openService,
  type ScaledStore,
  type Service,
} from "../../src/service.ts";
import {
  SCALED_KEY as keyEncryptionKey,
  scaledStore,
  whyNoScaledStore,
} from "../support/scaled-store.ts";
import { REGION, startService } from "../support/service.ts";
import { checkAll, completed, type Written } from "./_stores.ts";

const skip = whyNoScaledStore();

test("processes that start at once on a new store agree on account and key", {
  skip,
}, async (t) => {
  const scaled = await scaledStore();
  const services = await Promise.all([1, 2, 3].map(() => open(t, scaled)));
  const keys = services.map(({ firstKey }) => firstKey.key);
  for (const key of keys) assert.deepEqual(key, keys[0]);
  const origins = services.map(({ firstKey }) => firstKey.origin).sort();
  assert.deepEqual(origins, ["minted", "stored", "stored"]);
  const [one, two] = services as [Service, Service, Service];
  const written: Written = new Map();
  await completed(one, written, { seeds: ["written through one"] });
  await checkAll(two, written);
  assert.deepEqual(
    await one.core.catalog.identity.secrets("token-secret"),
    await two.core.catalog.identity.secrets("token-secret"),
  );
});

test("a first key is told where the service cannot start after it was made", {
  skip,
}, async (t) => {
  const scaled = await scaledStore();
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const config = { scaled, keyEncryptionKey, host: "127.0.0.1", port, region: REGION };
  const failure = await openService(config).then(
    () => assert.fail("the port is taken"),
    (error: unknown) => error,
  );
  assert.ok(failure instanceof FirstKeyUnseenError);
  assert.match(failure.message, /EADDRINUSE/);
  const { firstKey } = await open(t, scaled);
  assert.deepEqual([firstKey.origin, firstKey.key], ["stored", failure.firstKey.key]);
  const secret = firstKey.key.secretAccessKey.slice(0, 20);
  assert.ok(!String(failure.stack).includes(secret), "the failure does not tell the secret");
});

test("a store in a bucket is not opened without a key-encryption key", { skip }, async (t) => {
  const scaled = await scaledStore();
  const config = { scaled, host: "127.0.0.1", port: 0, region: REGION };
  await assert.rejects(openService(config), /no folder to keep its key-encryption key in/);
  await (await startService(t, { scaled, keyEncryptionKey })).close();
});

async function open(t: TestContext, scaled: ScaledStore): Promise<Service> {
  const service = await startService(t, { scaled, keyEncryptionKey, collectMinutes: 0 });
  return service;
}
