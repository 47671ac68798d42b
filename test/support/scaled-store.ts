import type { ScaledStore } from "../../src/service.ts";
import { POSTGRES_MISSING, postgresDatabase } from "./postgres.ts";
import { newBucket, s3Engine, whyNoS3 } from "./s3.ts";

/** What wraps the secrets of the tests' stores in two engines, which keep none themselves. */
export const SCALED_KEY = { secret: new Uint8Array(32).fill(7) };

/** Why tests on a store in two engines are skipped, for `{ skip }`; false where they are not. */
export function whyNoScaledStore(): string | false {
  return POSTGRES_MISSING || whyNoS3();
}

const dropped: (() => unknown)[] = [];
process.once("beforeExit", async () => {
  for (const work of dropped) await work();
});

/**
 * An empty store in two engines: a bucket and a database of its own. They go with the process: what
 * is done when a test ends is done in order, and a service that is closed after this still writes.
 */
export async function scaledStore(): Promise<ScaledStore> {
  const [bucket, connectionString] = await Promise.all([
    s3Engine().then(newBucket),
    postgresDatabase({ after: (work) => dropped.push(work) }),
  ]);
  return { bucket, catalog: { connectionString } };
}
