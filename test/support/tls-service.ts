import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Service } from "../../src/service.ts";
import { makeCertificates } from "./certificates.ts";
import { startService } from "./service.ts";
import { type Cleanup, temporaryDirectory } from "./temporary-directory.ts";

/** A service that speaks TLS with a certificate of a private authority. */
export interface TlsService {
  readonly service: Service;
  /** `https://localhost:port`. */
  readonly endpoint: string;
  /** The authority's certificate in PEM. */
  readonly caFile: string;
}

/** Starts such a service; it ends with the test. */
export async function startTlsService(t: Cleanup): Promise<TlsService> {
  const { authority, server } = makeCertificates();
  const tls = { certificate: server.cert, key: server.key };
  const service = await startService(t, { host: "localhost", tls });
  const caFile = join(await temporaryDirectory(t), "authority.pem");
  await writeFile(caFile, authority.cert);
  return { service, caFile, endpoint: service.endpoint };
}
