import type { AccountId } from "../model/ids.ts";
import type { Policy } from "./policy.ts";
import type { Session } from "./session-tokens.ts";

/** Who is calling, as proved by a verified signature. Only `SignatureVerifier` makes one. */
export interface Principal {
  readonly account: AccountId;
  /** The access key; of temporary credentials, their own id. */
  readonly accessKeyId: string;
  readonly arn: string;
  /** What the access key may do; without one, everything its account may. */
  readonly policy: Policy | undefined;
  /** What narrows that further, with temporary credentials; undefined with an access key. */
  readonly session: PrincipalSession | undefined;
}

/** The session of a caller with temporary credentials. */
export interface PrincipalSession extends Session {
  /** Its policies as they are evaluated: each of them must allow what the access key may do. */
  readonly parsedPolicies: readonly Policy[];
}

/** True for callers that may do whatever their account may: no policy of any kind limits them. */
export function isUnrestricted({ policy, session }: Principal): boolean {
  return policy === undefined && !session?.policies.length;
}
