import assert from "node:assert/strict";
import { type LogEntry, openService, type Service, type ServiceConfig } from "../../src/service.ts";
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
  // What the store lies in is given up after the service, not before.
  const afterwards: (() => unknown)[] = [];
  const service = await openService({
    ...(await storeOf({ after: (work) => afterwards.push(work) }, config)),
    host: "127.0.0.1",
    port: 0,
    region: REGION,
    log: (entry) => logged.push(entry),
    ...config,
  });
  t.after(async () => {
    await service.close();
    for (const work of afterwards) await work();
    assert.deepEqual(logged, [], "the service logged no error");
  });
  return service;
}

/** Where the store lies: a folder or, for all tests, the engines that the environment asks for. */
async function storeOf(
  t: Cleanup,
  config: Partial<ServiceConfig>,
): Promise<Partial<ServiceConfig>> {
  if (config.dataDirectory !== undefined || config.scaled !== undefined) return {};
  if (process.env["VARVE_TEST_STORE"] !== "scaled") {
    return { dataDirectory: await temporaryDirectory(t) };
  }
  // Only here, for most tests do without: it brings in the clients of both engines.
  const { SCALED_KEY, scaledStore } = await import("./scaled-store.ts");
  return { scaled: await scaledStore(t), keyEncryptionKey: SCALED_KEY };
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
