import {
  CHECKSUM_CHARACTERS_MAX,
  MAX_RESULTS_MAX,
  MAX_RESULTS_MIN,
  SNAPSHOT_ID_CHARACTERS_MAX,
  TOKEN_CHARACTERS_MAX,
} from "../model/limits.ts";
import { Constraints, type TextBounds } from "./constraints.ts";
import { parseQuery, request, type WireRequest } from "./message.ts";
import { formatRoute, type OperationName } from "./operations.ts";

/* Members that several operations share, with the bounds of the published service model. */

/** A snapshot id in a path, a query or a body. */
export const SNAPSHOT_ID: TextBounds = {
  minLength: 1,
  maxLength: SNAPSHOT_ID_CHARACTERS_MAX,
  pattern: /^snap-[0-9a-f]+$/,
};

/** A checksum header: base64. */
export const CHECKSUM: TextBounds = {
  maxLength: CHECKSUM_CHARACTERS_MAX,
  pattern: /^[A-Za-z0-9+/=]+$/,
};

/** A block or page token. The service takes a wider alphabet than its model publishes. */
export const TOKEN: TextBounds = {
  maxLength: TOKEN_CHARACTERS_MAX,
  pattern: /^[A-Za-z0-9+/=_-]+$/,
};

/** The paging members of both listings. */
export interface PagingMembers {
  readonly NextToken?: string | undefined;
  readonly MaxResults?: number | undefined;
  readonly StartingBlockIndex?: number | undefined;
}

/** Reads the paging members from a query. */
export function readPaging(constraints: Constraints, query: URLSearchParams): PagingMembers {
  const get = (name: string) => query.get(name) ?? undefined;
  const bounds = { min: MAX_RESULTS_MIN, max: MAX_RESULTS_MAX };
  return {
    NextToken: constraints.text("pageToken", get("pageToken"), TOKEN),
    MaxResults: constraints.integerText("maxResults", get("maxResults"), bounds),
    StartingBlockIndex: constraints.integerText("startingBlockIndex", get("startingBlockIndex"), {
      min: 0,
    }),
  };
}

/** Input of a listing of one snapshot's blocks. */
export interface ListingRequest extends PagingMembers {
  readonly SnapshotId: string;
}

/** Reads and checks a request for a listing of one snapshot's blocks. */
export function readListingRequest(
  { query }: Pick<WireRequest, "query">,
  parameters: Readonly<Record<string, string>>,
): ListingRequest {
  const c = new Constraints();
  const input = {
    SnapshotId: c.text("snapshotId", parameters["snapshotId"], SNAPSHOT_ID) ?? "",
    ...readPaging(c, parseQuery(query)),
  };
  c.check();
  return input;
}

/** Writes a request for a listing of one snapshot's blocks. */
export function writeListingRequest(operation: OperationName, input: ListingRequest): WireRequest {
  const { SnapshotId: snapshotId } = input;
  return request({ ...formatRoute(operation, { snapshotId }), query: writePaging(input) });
}

/** Writes the paging members as a query. */
export function writePaging(members: PagingMembers): Record<string, string | number | undefined> {
  return {
    maxResults: members.MaxResults,
    pageToken: members.NextToken,
    startingBlockIndex: members.StartingBlockIndex,
  };
}
