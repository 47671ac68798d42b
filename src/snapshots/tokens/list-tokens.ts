import type { Tokens } from "./tokens.ts";

/*
 * Page tokens of listings in order of id: the id that the page before ended with, in base64url,
 * and an ordinary token whose scope names the listing and that id. So they are checked and expire
 * like all others, and nobody can make one.
 */

/** Mints the token of the page that begins after an id. */
export function mintListToken(tokens: Tokens, listing: readonly string[], afterId: string): string {
  const [token] = tokens.mint({ kind: "ec2Page", snapshotIds: [...listing, afterId] }, [0]);
  return `${Buffer.from(afterId).toString("base64url")}.${token}`;
}

/** The id in a token that we minted for this listing and that has not expired; else undefined. */
export function openListToken(
  tokens: Tokens,
  listing: readonly string[],
  text: string,
): string | undefined {
  const [encoded = "", token = ""] = text.split(".");
  const afterId = Buffer.from(encoded, "base64url").toString();
  const scope = { kind: "ec2Page", snapshotIds: [...listing, afterId] } as const;
  // Compared with what we would mint, so that there is one spelling of each token.
  const isWhole = text === `${Buffer.from(afterId).toString("base64url")}.${token}`;
  return isWhole && tokens.open(scope, token) === 0 ? afterId : undefined;
}

/** Cuts one page from a whole list in order of id. */
export function cutList<T>(
  list: readonly T[],
  page: {
    readonly idOf: (entry: T) => string;
    readonly afterId: string;
    readonly limit: number;
  },
): { readonly entries: readonly T[]; readonly hasMore: boolean } {
  const rest = list.filter((entry) => page.idOf(entry) > page.afterId);
  return { entries: rest.slice(0, page.limit), hasMore: rest.length > page.limit };
}
