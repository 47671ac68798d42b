import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { FileError } from "../../client/index.ts";
import type { TlsIdentity } from "../../service.ts";
import { UsageError } from "../errors.ts";

/** Where certificate and private key lie, both in PEM. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

/** Both files or neither. */
export function tlsFilesOf(given: {
  readonly certificate: string | undefined;
  readonly key: string | undefined;
}): TlsFiles | undefined {
  const { certificate, key } = given;
  if (certificate && key) return { certificate, key };
  if (!certificate && !key) return undefined;
  const [there, missing] = certificate
    ? ["--tls-certificate", "--tls-key"]
    : ["--tls-key", "--tls-certificate"];
  throw new UsageError(`${there} needs ${missing} with it: give both, or neither for plain HTTP.`);
}

/** Reads both and checks that they are what they are said to be, and belong together. */
export async function readTlsFiles(files: TlsFiles): Promise<TlsIdentity> {
  const [certificate, key] = await Promise.all([read(files.certificate), read(files.key)]);
  const leaf = parsed(files.certificate, "certificate", () => new X509Certificate(certificate));
  const privateKey = parsed(files.key, "private key without a passphrase", () =>
    createPrivateKey(key),
  );
  if (leaf.checkPrivateKey(privateKey)) return { certificate, key };
  throw new UsageError(
    `The key in ${files.key} is not that of the certificate in ${files.certificate}.`,
  );
}

async function read(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: NodeJS.ErrnoException) => {
    const message = `Cannot read ${path}: ${cause.message}.`;
    throw new FileError(message, { path, code: cause.code ?? "EIO", cause });
  });
}

function parsed<T>(path: string, what: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    // The cause's own words may repeat what the file holds, and that may be a key.
    throw new UsageError(`${path} holds no ${what} in PEM.`);
  }
}
