import type { ScaledStore } from "../../src/service.ts";
import { POSTGRES_MISSING, postgresDatabase } from "./postgres.ts";
import { newBucket, s3Engine, whyNoS3 } from "./s3.ts";
import type { Cleanup } from "./temporary-directory.ts";

/** What wraps the secrets of the tests' stores in two engines, which keep none themselves. */
export const SCALED_KEY = { secret: new Uint8Array(32).fill(7) };

/** Why tests on a store in two engines are skipped, for `{ skip }`; false where they are not. */
export function whyNoScaledStore(): string | false {
  return POSTGRES_MISSING || whyNoS3();
}

/** An empty store in two engines: a bucket and a database of its own. */
export async function scaledStore(t: Cleanup): Promise<ScaledStore> {
  const [bucket, connectionString] = await Promise.all([
    s3Engine().then(newBucket),
    postgresDatabase(t),
  ]);
  return { bucket, catalog: { connectionString } };
}
