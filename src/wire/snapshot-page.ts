import { Constraints } from "./constraints.ts";
import { SNAPSHOT_ID } from "./members.ts";
import { parseQuery, request, type WireRequest } from "./message.ts";
import { formatRoute } from "./operations.ts";

/** Input of operations that AWS does not have and that answer something of every snapshot. */
export interface SnapshotPageRequest {
  /** Id of the snapshot after which the page begins. */
  readonly NextToken?: string | undefined;
}

/** Reads and checks such a request. */
export function readSnapshotPageRequest({
  query,
}: Pick<WireRequest, "query">): SnapshotPageRequest {
  const c = new Constraints();
  const text = parseQuery(query).get("pageToken") ?? undefined;
  const input = { NextToken: c.text("pageToken", text, SNAPSHOT_ID) };
  c.check();
  return input;
}

/** Writes a request of ListLineages or ListVerifications. */
export function writeSnapshotPageRequest(
  operation: "ListLineages" | "ListVerifications",
  { NextToken }: SnapshotPageRequest,
): WireRequest {
  return request({ ...formatRoute(operation), query: { pageToken: NextToken } });
}
