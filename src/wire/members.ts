import {
  CHECKSUM_CHARACTERS_MAX,
  MAX_RESULTS_MAX,
  MAX_RESULTS_MIN,
  SNAPSHOT_ID_CHARACTERS_MAX,
  TOKEN_CHARACTERS_MAX,
} from "../model/limits.ts";
import type { Constraints, TextBounds } from "./constraints.ts";

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

/** Writes the paging members as a query. */
export function writePaging(members: PagingMembers): Record<string, string | number | undefined> {
  return {
    maxResults: members.MaxResults,
    pageToken: members.NextToken,
    startingBlockIndex: members.StartingBlockIndex,
  };
}
