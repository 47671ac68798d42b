import { createFetchTransport } from "../transport/fetch-transport.ts";
import { type Client, type ClientOptions, createClientOn } from "./client.ts";
import { webHashing } from "./web-hashing.ts";

/**
 * Makes a client that needs nothing but what browsers have. Throws a `TypeError` for an endpoint
 * that is no web address.
 */
export function createFetchClient(options: ClientOptions): Client {
  return createClientOn({ transport: createFetchTransport(), hashing: webHashing }, options);
}
