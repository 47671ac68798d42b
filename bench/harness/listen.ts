import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Listens on any free port of the loopback address. */
export async function listenLocally(server: Server): Promise<{ readonly endpoint: string }> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
