import type { ReceivedResponse } from "../../wire/message.ts";

/** A signed request, ready to travel. */
export interface OutgoingRequest {
  /** The service's address; of its path nothing is used. */
  readonly endpoint: URL;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** By lower-case name; `host` among them. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** Bytes; a longer response body is refused. */
  readonly responseSizeBytesMax: number;
}

/** Carries one request to the service and its whole response back. */
export interface Transport {
  /**
   * Rejects when there is no whole response; leaves nothing running when the signal aborts. The
   * response's body belongs to whoever asked.
   */
  exchange(request: OutgoingRequest, signal: AbortSignal): Promise<ReceivedResponse>;
  /** Closes all connections. */
  close(): void;
}

/** The size of a response body, where it makes sense; else throws. */
export function boundedSize(sizeBytes: number, sizeBytesMax: number): number {
  if (sizeBytes <= sizeBytesMax) return sizeBytes;
  throw new Error(
    `The response has ${sizeBytes} bytes or more; at most ${sizeBytesMax} make sense`,
  );
}
