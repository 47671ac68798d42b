import { createHmac, hash, timingSafeEqual } from "node:crypto";
import { LruCache } from "../base/lru-cache.ts";
import type { AccessKey } from "../catalog/catalog.ts";
import { parsePolicy } from "./parse-policy.ts";
import type { Policy } from "./policy.ts";
import type { Principal } from "./principal.ts";

/** A signature as claimed in a request, with what it was computed over. */
export interface SignatureClaim {
  readonly accessKeyId: string;
  /** Credential scope: date as YYYYMMDD, region, service. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly stringToSign: string;
  /** 64 lower-case hexadecimal characters. */
  readonly signature: string;
}

/** Signing keys kept, so that a busy key costs one HMAC a request instead of five. */
const SIGNING_KEYS_MAX = 1_000;
/** Policies kept parsed, so that a request costs no parsing. */
const POLICIES_MAX = 1_000;
/** Verified against when the key is unknown, so that both answers take the same work. */
const DUMMY_SECRET = "no secret has this value, and no access key belongs to it";

/** Decides whether a signature was made with the secret of an active access key. */
export class SignatureVerifier {
  readonly #findKey: (accessKeyId: string) => Promise<AccessKey | undefined>;
  readonly #signingKeys = new LruCache<Uint8Array>(SIGNING_KEYS_MAX, () => 1);

  readonly #policies = new LruCache<Policy>(POLICIES_MAX, () => 1);

  constructor(findKey: (accessKeyId: string) => Promise<AccessKey | undefined>) {
    this.#findKey = findKey;
  }

  /** Answers who signed; "unknown-key" or "wrong-signature" when nobody we know did. */
  async verify(claim: SignatureClaim): Promise<Principal | "unknown-key" | "wrong-signature"> {
    const key = await this.#findKey(claim.accessKeyId);
    const signingKey = this.#signingKey(claim, key?.secretAccessKey ?? DUMMY_SECRET);
    const expected = hmac(signingKey, claim.stringToSign);
    const claimed = Buffer.from(claim.signature, "hex");
    const isEqual = claimed.length === expected.length && timingSafeEqual(claimed, expected);
    if (!key?.active) return "unknown-key";
    return isEqual ? this.#principalOf(key) : "wrong-signature";
  }

  #principalOf({ account, accessKeyId, policy }: AccessKey): Principal {
    // A key without a policy is the account itself, as the root user is on AWS.
    const name = policy === undefined ? "root" : `user/${accessKeyId}`;
    const arn = `arn:aws:iam::${account}:${name}`;
    return {
      account,
      accessKeyId,
      arn,
      policy: policy === undefined ? undefined : this.#policy(policy),
    };
  }

  /** Throws for a stored policy that this version does not understand: then nothing is allowed. */
  #policy(text: string): Policy {
    const known = this.#policies.get(text);
    if (known) return known;
    const policy = parsePolicy(text);
    this.#policies.set(text, policy);
    return policy;
  }

  #signingKey({ date, region, service }: SignatureClaim, secret: string): Uint8Array {
    // The cache is keyed by a hash, so that no secret is kept in a readable key.
    const name = hash("sha256", JSON.stringify([secret, date, region, service]), "base64");
    const known = this.#signingKeys.get(name);
    if (known) return known;
    const parts = [date, region, service, "aws4_request"];
    const signingKey = parts.reduce<Uint8Array>(hmac, Buffer.from(`AWS4${secret}`));
    this.#signingKeys.set(name, signingKey);
    return signingKey;
  }
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
