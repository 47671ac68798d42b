import type { AccountId } from "../model/ids.ts";

/** Who is calling, as proved by a verified signature. Only `SignatureVerifier` makes one. */
export interface Principal {
  readonly account: AccountId;
  readonly accessKeyId: string;
  readonly arn: string;
}
