import type { AccountId } from "../model/ids.ts";
import type { Policy } from "./policy.ts";

/** Who is calling, as proved by a verified signature. Only `SignatureVerifier` makes one. */
export interface Principal {
  readonly account: AccountId;
  readonly accessKeyId: string;
  readonly arn: string;
  /** What the access key may do; without one, everything its account may. */
  readonly policy: Policy | undefined;
}
