import { writeFile } from "node:fs/promises";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { createServer } from "node:tls";
import type { Service } from "../../src/service.ts";
import { type Certificate, makeCertificates } from "./certificates.ts";
import { startService } from "./service.ts";
import { type Cleanup, temporaryDirectory } from "./temporary-directory.ts";

/** A service behind a proxy that speaks TLS with a certificate of a private authority. */
export interface TlsService {
  readonly service: Service;
  /** `https://localhost:port`. */
  readonly endpoint: string;
  /** The authority's certificate in PEM. */
  readonly caFile: string;
}

/** Starts a service and such a proxy before it; both end with the test. */
export async function startTlsService(t: Cleanup): Promise<TlsService> {
  const service = await startService(t);
  const { authority, server } = makeCertificates();
  const caFile = join(await temporaryDirectory(t), "authority.pem");
  await writeFile(caFile, authority.cert);
  return { service, caFile, endpoint: await proxy(t, service.endpoint, server) };
}

async function proxy(t: Cleanup, to: string, certificate: Certificate): Promise<string> {
  const { hostname, port } = new URL(to);
  const server = createServer(certificate, (socket) => {
    const upstream = connect(Number(port), hostname);
    for (const end of [socket, upstream]) end.on("error", () => undefined);
    socket.on("close", () => upstream.destroy()).pipe(upstream);
    upstream.on("close", () => socket.destroy()).pipe(socket);
  });
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  t.after(() => void server.close());
  return `https://localhost:${(server.address() as AddressInfo).port}`;
}
