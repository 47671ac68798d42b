import type { Client } from "./client.ts";
import { ClientError } from "./errors.ts";

/** The same client, but its errors say which service they come from. */
export function namingEndpoint(client: Client): Client {
  const { endpoint, region, clock, random } = client;
  return {
    endpoint,
    region,
    clock,
    random,
    async send(call, options) {
      try {
        return await client.send(call, options);
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        const { kind, operation, code, message, reason, status, requestId, cause } = error;
        const parts = { kind, operation, code, message, reason, status, requestId, cause };
        throw new ClientError({ ...parts, endpoint });
      }
    },
    close: () => client.close(),
  };
}
