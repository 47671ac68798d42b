import { toBase64 } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { AccessKey } from "../catalog/catalog.ts";
import { newAccessKeyId } from "../model/ids.ts";

/** Bytes of chance in a secret access key; 40 characters of base64, as AWS's are. */
const SECRET_BYTES = 30;

/** A new active access key with a secret nobody knows yet; stored by whoever asked for it. */
export function mintAccessKey(
  owner: Pick<AccessKey, "account" | "policy">,
  { random, clock }: { readonly random: Random; readonly clock: Clock },
): AccessKey {
  return {
    accessKeyId: newAccessKeyId(random),
    secretAccessKey: toBase64(random.bytes(SECRET_BYTES)),
    account: owner.account,
    active: true,
    policy: owner.policy,
    createdAtMs: clock.nowMs(),
  };
}
