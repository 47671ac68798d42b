/*
 * The client library for browsers: everything but files. Requests go through `fetch`, blocks are
 * hashed by WebCrypto, and no module of Node is imported.
 *
 *     const client = createClient({ endpoint: location.origin, credentials });
 *     for await (const { BlockIndex, BlockToken } of blocksOf(client, snapshotId)) {
 *       const { BlockData } = await getSnapshotBlock(client, BlockIndex, snapshotId, BlockToken);
 *     }
 */
export type { ClientOptions } from "./call/client.ts";
export { createFetchClient as createClient } from "./call/create-fetch-client.ts";
export * from "./everywhere.ts";
