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
  const service = await openService({
    dataDirectory: config.dataDirectory ?? (await temporaryDirectory(t)),
    host: "127.0.0.1",
    port: 0,
    region: REGION,
    log: (entry) => logged.push(entry),
    ...config,
  });
  t.after(async () => {
    await service.close();
    assert.deepEqual(logged, [], "the service logged no error");
  });
  return service;
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
