import { invalid } from "../model/errors.ts";
import { MAX_RESULTS_DEFAULT } from "../model/limits.ts";
import type { Core } from "./core.ts";
import type { TokenScope } from "./tokens/tokens.ts";

/** The paging parameters that both listings share. */
export interface PageInput {
  readonly nextToken: string | undefined;
  readonly maxResults: number | undefined;
  readonly startingBlockIndex: number | undefined;
  /** Awaited between two pieces of work; others that are ready go on in it, if nothing is given. */
  readonly rest?: () => Promise<void>;
}

/** Where a page begins and how much it may hold. */
export interface Page {
  readonly fromIndex: number;
  readonly limit: number;
}

/** Opens the page token, which wins over the starting block index. */
export function openPage(core: Core, scope: TokenScope, input: PageInput): Page {
  const { nextToken, maxResults, startingBlockIndex } = input;
  const limit = maxResults ?? MAX_RESULTS_DEFAULT;
  if (nextToken === undefined) return { fromIndex: startingBlockIndex ?? 0, limit };
  const fromIndex = core.tokens.open(scope, nextToken);
  if (fromIndex === undefined) {
    throw invalid("INVALID_PAGE_TOKEN", `The pagination token ${nextToken} is invalid.`);
  }
  return { fromIndex, limit };
}

/**
 * Cuts a page from what was found when looking for one more than fits: the surplus entry says
 * that there is a next page, and where it begins.
 */
export function cutPage<T>(
  core: Core,
  scope: TokenScope,
  cut: {
    readonly found: readonly T[];
    readonly limit: number;
    readonly indexOf: (entry: T) => number;
  },
): { readonly entries: readonly T[]; readonly nextToken: string | undefined } {
  const { found, limit, indexOf } = cut;
  const surplus = found[limit];
  if (surplus === undefined) return { entries: found, nextToken: undefined };
  const nextToken = mintNextToken(core, scope, indexOf(surplus));
  return { entries: found.slice(0, limit), nextToken };
}

/** The token of the page that begins at a block index; undefined where there is no next page. */
export function mintNextToken(
  core: Core,
  scope: TokenScope,
  nextIndex: number | undefined,
): string | undefined {
  return nextIndex === undefined ? undefined : core.tokens.mint(scope, [nextIndex])[0];
}
