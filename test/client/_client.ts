import type { Call } from "../../src/client/call/client.ts";
import type {
  CallOptions,
  Client,
  ClientOptions,
  SnapshotDescription,
} from "../../src/client/index.ts";
import {
  ClientError,
  createClient,
  describeSnapshots,
  snapshotsOf,
} from "../../src/client/index.ts";
import type { Service } from "../../src/service.ts";
import type { Cleanup } from "../support/temporary-directory.ts";

/** A client of the library for that service, closed when the test ends. */
export function clientFor(
  t: Cleanup,
  { endpoint, region, firstKey }: Service,
  options: Partial<ClientOptions> = {},
): Client {
  const { accessKeyId, secretAccessKey } = firstKey.key;
  const credentials = { accessKeyId, secretAccessKey };
  const client = createClient({ endpoint, region, credentials, ...options });
  t.after(() => client.close());
  return client;
}

/** One snapshot as EC2 describes it. */
export async function describeOne(
  client: Client,
  snapshotId: string,
): Promise<SnapshotDescription | undefined> {
  return (await describeSnapshots(client, { SnapshotIds: [snapshotId] })).Snapshots[0];
}

/** Ids of all snapshots there are. */
export async function allIds(client: Client): Promise<string[]> {
  const ids: string[] = [];
  for await (const { SnapshotId } of snapshotsOf(client)) ids.push(SnapshotId);
  return ids;
}

/** The same client, but its calls go through a function that may answer or fail in its place. */
export function clientThrough(
  client: Client,
  send: <T>(call: Call<T>, options: CallOptions | undefined) => Promise<T>,
): Client {
  const { endpoint, region, clock, random } = client;
  return { endpoint, region, clock, random, send, close: () => undefined };
}

/** As AWS answers: it knows none of our own operations. */
export function asAws(client: Client): Client {
  const ours = ["ListLineages", "CountExclusiveBlocks", "ListBlockDigests"];
  return clientThrough(client, async (call, options) => {
    const { operation } = call;
    if (!ours.includes(operation)) return client.send(call, options);
    const message = "The action or operation requested is invalid.";
    throw new ClientError({ kind: "service", operation, code: "Unknown", status: 404, message });
  });
}
