import type { Core } from "../../snapshots/core.ts";
import { mintListToken, openListToken } from "../../snapshots/tokens/list-tokens.ts";
import { queryFault } from "../../wire/ec2/query.ts";
import type { QueryCall } from "./query-call.ts";

/**
 * Entries of a page when the caller names no bound. AWS then answers all there are; many programs
 * never ask for a second page, so this is far above what they have, and still bounds the answer.
 */
const ENTRIES_DEFAULT = 10_000;

/** Where a page of an action begins and how much it may hold. */
export function openPage(
  core: Core,
  { principal, parameters }: QueryCall,
  input: { readonly MaxResults: number | undefined; readonly NextToken: string | undefined },
): { readonly afterId: string; readonly limit: number } {
  const limit = input.MaxResults ?? ENTRIES_DEFAULT;
  if (input.NextToken === undefined) return { afterId: "", limit };
  const listing = [principal.account, parameters.action];
  const afterId = openListToken(core.tokens, listing, input.NextToken);
  if (afterId !== undefined) return { afterId, limit };
  throw queryFault(400, "InvalidParameterValue", "Unable to parse pagination token");
}

/** The token of the page after the one that ended with an id; undefined for none. */
export function pageAfter(
  core: Core,
  { principal, parameters }: QueryCall,
  lastId: string | undefined,
): string | undefined {
  if (lastId === undefined) return undefined;
  return mintListToken(core.tokens, [principal.account, parameters.action], lastId);
}
