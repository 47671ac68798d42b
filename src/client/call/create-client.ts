import { readFileSync } from "node:fs";
import { FileError } from "../errors.ts";
import { createHttpTransport } from "../transport/http-transport.ts";
import { type Client, type ClientOptions, connectionsMaxOf, createClientOn } from "./client.ts";
import { nodeHashing } from "./node-crypto.ts";

/** What a client in Node can be given besides. */
export interface NodeClientOptions extends ClientOptions {
  /** Certificates in PEM to trust instead of the usual authorities. */
  readonly ca?: string | undefined;
  /** A file that holds them; not with `ca`. */
  readonly caFile?: string | undefined;
}

/**
 * Makes a client. Opens no connection yet. Throws a `TypeError` for an endpoint that is no web
 * address, and a `FileError` for a file of certificates that cannot be read or holds none.
 */
export function createClient(options: NodeClientOptions): Client {
  const connectionsMax = connectionsMaxOf(options);
  const transport = createHttpTransport({ connectionsMax, ca: certificatesOf(options) });
  return createClientOn({ transport, hashing: nodeHashing }, options);
}

function certificatesOf({ ca, caFile: path }: NodeClientOptions): string | undefined {
  if (path === undefined) return ca;
  if (ca !== undefined) throw new TypeError("Give either ca or caFile, not both");
  const text = readText(path);
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  const message = `The file ${path} holds no certificate: it needs -----BEGIN CERTIFICATE-----.`;
  throw new FileError(message, { path, code: "NO_CERTIFICATE" });
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const { message, code = "EIO" } = cause as Error & { code?: string };
    const text = `Cannot read the certificates in ${path}: ${message}.`;
    throw new FileError(text, { path, code, cause });
  }
}
