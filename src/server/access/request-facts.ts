import type { Principal } from "../../identity/principal.ts";
import type { RequestHead } from "../http/raw-request.ts";

/**
 * What becomes known of a request while it is answered, for those who are told of it afterwards.
 * Filled in along the way: what a refusal came before stays undefined.
 */
export interface RequestFacts {
  readonly requestId: string;
  /** In milliseconds since 1970, and on the clock that never jumps. */
  readonly receivedAtMs: number;
  readonly startMs: number;
  readonly sourceIp: string | undefined;
  head: RequestHead | undefined;
  /** `ebs`, `ec2`, `sts`, `kms`, `s3`, or `varve` for operations of ours. */
  service: string;
  /** The operation's name, one of a fixed set. */
  operation: string | undefined;
  /** Parameters of its path. */
  parameters: Readonly<Record<string, string>>;
  principal: Principal | undefined;
  /** A body other than a block. */
  body: Uint8Array | undefined;
  /** True for a page of the console, for health, and for `OPTIONS *`: no call of anybody's. */
  isPage: boolean;
}

/** Operations that read, write or list blocks, as AWS's own audit trail divides them. */
const DATA_OPERATIONS: ReadonlySet<string> = new Set([
  "PutSnapshotBlock",
  "GetSnapshotBlock",
  "ListSnapshotBlocks",
  "ListChangedBlocks",
  "ListBlockDigests",
  "ListReadableBlocks",
]);

/** True for calls that read, write or list blocks; all others manage something. */
export function isDataCall({ operation }: RequestFacts): boolean {
  return operation !== undefined && DATA_OPERATIONS.has(operation);
}
