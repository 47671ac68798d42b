import { UsageError } from "../errors.ts";

/** Parses `HOST:PORT`; an IPv6 address stands in brackets. */
export function parseListen(listen: string): { readonly host: string; readonly port: number } {
  const parts = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s]+)):([0-9]{1,5})$/.exec(listen);
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  if (host !== undefined && port <= 65_535) return { host, port };
  throw new UsageError(
    `Cannot listen on '${listen}': give HOST:PORT, for example 127.0.0.1:7788 or [::1]:7788.`,
  );
}

/** True for names and addresses that never leave this machine. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.[0-9]{1,3}){3}$/.test(host);
}
