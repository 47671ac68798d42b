import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import { LruCache } from "../base/lru-cache.ts";
import type { AccessKey } from "../catalog/catalog.ts";
import { parsePolicy } from "./parse-policy.ts";
import type { Policy } from "./policy.ts";
import type { Principal } from "./principal.ts";
import { arnOfSession, type Session, type SessionTokens } from "./session-tokens.ts";

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
  /** The session token sent with it, signed like the rest; undefined when there was none. */
  readonly sessionToken?: string | undefined;
}

/** Why a signature proves nobody. */
export type SignatureRefusal = "unknown-key" | "wrong-signature" | "expired-session";

/** Signing keys kept, so that a busy key costs one HMAC a request instead of five. */
const SIGNING_KEYS_MAX = 1_000;
/** Policies kept parsed, so that a request costs no parsing. */
const POLICIES_MAX = 1_000;
/** Access keys kept as they were last seen. */
const KEYS_SEEN_MAX = 1_000;
/** Verified against when the key is unknown, so that both answers take the same work. */
const DUMMY_SECRET = "no secret has this value, and no access key belongs to it";

/**
 * Decides whether a signature was made with the secret of an active access key, or with temporary
 * credentials that come from one.
 */
export class SignatureVerifier {
  readonly #findKey: (accessKeyId: string) => Promise<AccessKey | undefined>;
  readonly #sessions: SessionTokens | undefined;
  readonly #signingKeys = new LruCache<SigningKey>(SIGNING_KEYS_MAX, () => 1);

  readonly #policies = new LruCache<Policy>(POLICIES_MAX, () => 1);
  /** Access keys as they were when they last signed something. */
  readonly #seen = new LruCache<AccessKey>(KEYS_SEEN_MAX, () => 1);

  /** Without sessions, every request with a session token is refused. */
  constructor(
    findKey: (accessKeyId: string) => Promise<AccessKey | undefined>,
    sessions?: SessionTokens,
  ) {
    this.#findKey = findKey;
    this.#sessions = sessions;
  }

  /**
   * Answers who signed, or why nobody we know did. A token must belong to the very access key id
   * beside it, and the access key the session comes from is looked up each time: once it is
   * inactive or gone, so is the session. Whatever is wrong costs the same look-up and hashing.
   */
  async verify(claim: SignatureClaim): Promise<Principal | SignatureRefusal> {
    const { accessKeyId, sessionToken } = claim;
    const isSession = sessionToken !== undefined;
    const session = isSession ? this.#sessions?.open(accessKeyId, sessionToken) : undefined;
    const key = await this.#findKey(session?.parentAccessKeyId ?? accessKeyId);
    if (!isSession && key?.active) this.#seen.set(accessKeyId, key);
    else this.#seen.delete(accessKeyId);
    const secret = isSession ? session?.secretAccessKey : key?.secretAccessKey;
    const isEqual = this.#isSignedWith(secret, claim);
    const isKnown = !isSession || session?.account === key?.account;
    if (!key?.active || !isKnown || secret === undefined) return "unknown-key";
    if (!isEqual) return "wrong-signature";
    if (session && this.#sessions?.isExpired(session) !== false) return "expired-session";
    return this.#principalOf(key, session);
  }

  /**
   * Who signed, if the access key still is what it was when it was last looked up; undefined where
   * it never was, where the signature does not fit, and for sessions. Whoever goes by this has to
   * `verify` the claim as well before anything is answered or done, and to compare.
   */
  verifySeen(claim: SignatureClaim): Principal | undefined {
    if (claim.sessionToken !== undefined) return undefined;
    const key = this.#seen.get(claim.accessKeyId);
    const isEqual = this.#isSignedWith(key?.secretAccessKey, claim);
    return key && isEqual ? this.#principalOf(key, undefined) : undefined;
  }

  #isSignedWith(secret: string | undefined, claim: SignatureClaim): boolean {
    const signer = secret === undefined ? { ...claim, accessKeyId: "" } : claim;
    const expected = hmac(this.#signingKey(signer, secret ?? DUMMY_SECRET), claim.stringToSign);
    const claimed = Buffer.from(claim.signature, "hex");
    return claimed.length === expected.length && timingSafeEqual(claimed, expected);
  }

  #principalOf(key: AccessKey, session: Session | undefined): Principal {
    const policy = key.policy === undefined ? undefined : this.#policy(key.policy);
    const { account } = key;
    const arn = arnOfKey(key);
    if (!session) return { account, accessKeyId: key.accessKeyId, arn, policy, session: undefined };
    const parsedPolicies = session.policies.map((text) => this.#policy(text));
    return {
      account,
      accessKeyId: session.accessKeyId,
      arn: arnOfSession(session, arn),
      policy,
      session: { ...factsOf(session), parsedPolicies },
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

  #signingKey(claim: SignatureClaim, secret: string): KeyObject {
    const { accessKeyId, date, region, service } = claim;
    const name = JSON.stringify([accessKeyId, date, region, service]);
    const known = this.#signingKeys.get(name);
    // An access key may get another secret, which is never compared with what a caller sent.
    if (known?.secret === secret) return known.key;
    const parts = [date, region, service, "aws4_request"];
    const bytes = parts.reduce<Uint8Array>(hmac, Buffer.from(`AWS4${secret}`));
    // Node's own object: making one of the bytes costs as much as the HMAC itself.
    const key = createSecretKey(bytes);
    this.#signingKeys.set(name, { secret, key });
    return key;
  }
}

/** What signs one key's requests of one day, region and service. */
interface SigningKey {
  readonly secret: string;
  readonly key: KeyObject;
}

/** A key without a policy is the account itself, as the root user is on AWS. */
function arnOfKey({ account, accessKeyId, policy }: AccessKey): string {
  const name = policy === undefined ? "root" : `user/${accessKeyId}`;
  return `arn:aws:iam::${account}:${name}`;
}

/** What the rest of the service may know of a session: neither its secret nor its token. */
function factsOf(session: Session): Session {
  const { accessKeyId, parentAccessKeyId, account, kind, name, policies } = session;
  const { issuedAtMs, expiresAtMs } = session;
  const who = { accessKeyId, parentAccessKeyId, account, kind, name };
  return { ...who, policies, issuedAtMs, expiresAtMs };
}

function hmac(key: Uint8Array | KeyObject, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
