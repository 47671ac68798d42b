import assert from "node:assert/strict";
import {
  type LogEntry,
  openService,
  type ScaledStore,
  type Service,
  type ServiceConfig,
} from "../../src/service.ts";
import { type Cleanup, temporaryDirectory } from "./temporary-directory.ts";

/** Region the tests' services run as. */
export const REGION = "us-east-1";

/**
 * A real service on a free port of the loopback address, with a store of its own, closed when the
 * test ends. An error it logs fails the test, unless the test takes the log itself.
 */
export async function startService(
  t: Cleanup,
  config: Partial<ServiceConfig> = {},
): Promise<Service> {
  const logged: LogEntry[] = [];
  const service = await openService({
    host: "127.0.0.1",
    port: 0,
    region: REGION,
    log: (entry) => logged.push(entry),
    ...config,
    ...(await storeOf(t, config)),
  });
  t.after(async () => {
    await service.close();
    assert.deepEqual(logged, [], "the service logged no error");
  });
  return service;
}

/** In two engines: the store that stands for a folder, so that a test can open it again. */
const standIns = new Map<string, ScaledStore>();

/** The engines that stand for a folder; undefined where the store is in that folder. */
export function standInFor(dataDirectory: string): ScaledStore | undefined {
  return standIns.get(dataDirectory);
}

/** False where the store lies in a bucket and a database. */
export function isInFolder({ dataDirectory }: Service): boolean {
  return !dataDirectory.startsWith("s3://");
}

/** Where the store lies: a folder or, for all tests, the engines that the environment asks for. */
async function storeOf(
  t: Cleanup,
  config: Partial<ServiceConfig>,
): Promise<Partial<ServiceConfig>> {
  const { dataDirectory, scaled, clock } = config;
  if (scaled) return {};
  // Where many processes serve a store, the database's time counts, and no test can move that.
  if (process.env["VARVE_TEST_STORE"] !== "scaled" || clock !== undefined) {
    return { dataDirectory: dataDirectory ?? (await temporaryDirectory(t)) };
  }
  // Only here, for most tests do without: it brings in the clients of both engines.
  const { SCALED_KEY, scaledStore } = await import("./scaled-store.ts");
  const known = dataDirectory === undefined ? undefined : standIns.get(dataDirectory);
  const store = known ?? (await scaledStore());
  if (dataDirectory !== undefined) standIns.set(dataDirectory, store);
  standIns.set(`s3://${store.bucket.bucket}/${store.bucket.prefix}`, store);
  return { scaled: store, keyEncryptionKey: SCALED_KEY };
}

/** What an AWS SDK for JavaScript client is made with to reach the service. */
export function sdkOptions({ endpoint, region, firstKey }: Service) {
  const { accessKeyId, secretAccessKey } = firstKey.key;
  return { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
}

/** The environment in which AWS's own tools, of any language, reach the service. */
export function awsEnvironment({ endpoint, region, firstKey }: Service): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: firstKey.key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: firstKey.key.secretAccessKey,
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_CONFIG_FILE: "/dev/null",
    AWS_PAGER: "",
  };
}
