import type { Client } from "./client.ts";
import { ClientError } from "./errors.ts";

/** The same client, but its errors say which service they come from. */
export function namingEndpoint(client: Client): Client {
  const { endpoint } = client;
  return {
    ...client,
    async send(call, options) {
      try {
        return await client.send(call, options);
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        const { message, cause } = error;
        throw new ClientError({ ...error, message, cause, endpoint });
      }
    },
    close: () => client.close(),
  };
}
