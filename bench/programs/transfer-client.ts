// Moves whole images with the client library, in a process of its own as the command would.

import { createClient, downloadSnapshot, uploadSnapshot } from "../../src/client/index.ts";
import { serveParent } from "../harness/commands.ts";
import { KEY_PAIR, REGION } from "../harness/target.ts";

interface TransferOptions {
  readonly endpoint: string;
  readonly path: string;
  readonly snapshotId?: string;
}

/** What a transfer took. */
export interface Transferred {
  readonly seconds: number;
  readonly snapshotId: string;
}

serveParent({
  upload: (options: TransferOptions) =>
    timed(options, async (client) => (await uploadSnapshot(client, options)).snapshotId),
  download: (options: TransferOptions) =>
    timed(options, async (client) => {
      const { snapshotId = "" } = options;
      await downloadSnapshot(client, { snapshotId, path: options.path, force: true });
      return snapshotId;
    }),
});

async function timed(
  { endpoint }: TransferOptions,
  transfer: (client: ReturnType<typeof createClient>) => Promise<string>,
): Promise<Transferred> {
  const client = createClient({ endpoint, region: REGION, credentials: KEY_PAIR });
  const startedAt = performance.now();
  const snapshotId = await transfer(client);
  const seconds = (performance.now() - startedAt) / 1000;
  client.close();
  return { seconds, snapshotId };
}
