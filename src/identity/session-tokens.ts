import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  type KeyObject,
} from "node:crypto";
import { toBase64 } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { type AccountId, newSessionKeyId } from "../model/ids.ts";
import { SESSION_DURATION_SECONDS_MAX, SESSION_TOKEN_CHARACTERS_MAX } from "../model/limits.ts";
import {
  newestSecret,
  openingSecrets,
  type SecretRing,
  type StoreSecret,
} from "../model/store-secret.ts";

/*
 * Temporary credentials are stored nowhere: their token holds all there is to know of them,
 * readable to this store alone, and the client sends it with every request.
 *
 *   offset  0        1           5         21         33
 *           version  secret id   salt      nonce      AES-256-GCM of the session, then its tag
 *           u8       4 B         16 B      12 B       16 B
 *
 * Bytes 0 to 4 are authenticated, too. Each token has a key of its own, HMAC-SHA-256 of the salt
 * under a session secret of the store, so no number of tokens wears a key out. Which secret that
 * is, the secret id says; the newest mints. They are random and used for nothing else: knowing an
 * access key's secret helps nobody to make a token.
 *
 * The plain text is a JSON array in UTF-8 (access key id, secret, parent's access key id, account,
 * kind, name, issued at, expires at, both in seconds since 1970), then for each session policy a
 * zero byte and its text in Latin-1, the alphabet session policies have.
 */

const VERSION = 1;
const SECRET_ID_BYTES = 4;
const HEADER_BYTES = 1 + SECRET_ID_BYTES;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER_OFFSET = HEADER_BYTES + SALT_BYTES + NONCE_BYTES;

/** Bytes of chance in the secret of temporary credentials, as in every access key's. */
const SECRET_BYTES = 30;

/** What kind of caller a session is: the access key itself, or one it speaks as. */
export type SessionKind = "user" | "role" | "federated-user";

/** Temporary credentials, without their secret. */
export interface Session {
  /** Their own id, `ASIA…`. */
  readonly accessKeyId: string;
  /** The access key they come from. They end with it, and can do nothing it cannot. */
  readonly parentAccessKeyId: string;
  readonly account: AccountId;
  readonly kind: SessionKind;
  /** Role and session as `NAME/SESSION`, or a federated user's name; empty for the key itself. */
  readonly name: string;
  /** Session policies as JSON, each of which narrows what the access key may do. */
  readonly policies: readonly string[];
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

/** Who a session speaks as: the access key of that ARN itself, or one of its names. */
export function arnOfSession(
  { account, kind, name }: Pick<Session, "account" | "kind" | "name">,
  arnOfKey: string,
): string {
  if (kind === "user") return arnOfKey;
  const speaksAs = kind === "role" ? `assumed-role/${name}` : `federated-user/${name}`;
  return `arn:aws:sts::${account}:${speaksAs}`;
}

/** What a session is made from; the rest is made here. */
export type SessionInput = Pick<
  Session,
  "parentAccessKeyId" | "account" | "kind" | "name" | "policies"
> & { readonly durationSeconds: number };

/** A session with what a client needs to sign as it. */
export interface SessionCredentials extends Session {
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** Mints temporary credentials, and finds in a token the session it was minted for. */
export class SessionTokens {
  readonly #secrets: SecretRing;
  readonly #headers = new WeakMap<StoreSecret, Buffer>();
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(secrets: SecretRing, { clock, random }: { clock: Clock; random: Random }) {
    this.#secrets = secrets;
    this.#clock = clock;
    this.#random = random;
  }

  /** New credentials; undefined when the policies are too long for a token. */
  mint({ durationSeconds, ...input }: SessionInput): SessionCredentials | undefined {
    const nowSeconds = Math.floor(this.#clock.nowMs() / 1000);
    const session = {
      ...input,
      accessKeyId: newSessionKeyId(this.#random),
      secretAccessKey: toBase64(this.#random.bytes(SECRET_BYTES)),
      issuedAtMs: nowSeconds * 1000,
      expiresAtMs: (nowSeconds + durationSeconds) * 1000,
    };
    const sessionToken = this.#seal(encode(session));
    if (sessionToken.length > SESSION_TOKEN_CHARACTERS_MAX) return undefined;
    return { ...session, sessionToken };
  }

  /**
   * The session of a token, if this store minted it for that access key id, also one that has
   * expired; undefined otherwise, without saying why.
   */
  open(accessKeyId: string, token: string): SessionCredentials | undefined {
    const plain = token.length <= SESSION_TOKEN_CHARACTERS_MAX ? this.#unseal(token) : undefined;
    const session = plain && decode(plain);
    return session?.accessKeyId === accessKeyId ? { ...session, sessionToken: token } : undefined;
  }

  /** True once a session's time is over. */
  isExpired({ expiresAtMs }: Session): boolean {
    return this.#clock.nowMs() >= expiresAtMs;
  }

  #seal(plain: Buffer): string {
    const salt = this.#random.bytes(SALT_BYTES);
    const nonce = this.#random.bytes(NONCE_BYTES);
    const secret = newestSecret(this.#secrets);
    const header = this.#headerOf(secret);
    const cipher = createCipheriv("aes-256-gcm", keyOf(secret, salt), nonce);
    cipher.setAAD(header);
    const sealed = [cipher.update(plain), cipher.final()];
    const parts = [header, salt, nonce, ...sealed, cipher.getAuthTag()];
    return Buffer.concat(parts).toString("base64");
  }

  #unseal(token: string): Buffer | undefined {
    const bytes = Buffer.from(token, "base64");
    // One token has one spelling.
    if (bytes.toString("base64") !== token || bytes.length < CIPHER_OFFSET + TAG_BYTES) return;
    const header = bytes.subarray(0, HEADER_BYTES);
    const secret = this.#opening().find((each) => this.#headerOf(each).equals(header));
    if (!secret) return undefined;
    const salt = bytes.subarray(HEADER_BYTES, HEADER_BYTES + SALT_BYTES);
    const nonce = bytes.subarray(HEADER_BYTES + SALT_BYTES, CIPHER_OFFSET);
    const options = { authTagLength: TAG_BYTES };
    const decipher = createDecipheriv("aes-256-gcm", keyOf(secret, salt), nonce, options);
    decipher.setAAD(header);
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const plain = decipher.update(bytes.subarray(CIPHER_OFFSET, -TAG_BYTES));
    try {
      return Buffer.concat([plain, decipher.final()]);
    } catch {
      // The tag does not fit: not a token of ours, or not as it was.
      return undefined;
    }
  }

  #opening(): readonly StoreSecret[] {
    const lifetimeSeconds = SESSION_DURATION_SECONDS_MAX;
    return openingSecrets(this.#secrets, { nowMs: this.#clock.nowMs(), lifetimeSeconds });
  }

  /** What tokens under that secret begin with. */
  #headerOf(secret: StoreSecret): Buffer {
    const known = this.#headers.get(secret);
    if (known) return known;
    const header = Buffer.concat([Buffer.of(VERSION), secretId(secret.value)]);
    this.#headers.set(secret, header);
    return header;
  }
}

function keyOf({ value }: StoreSecret, salt: Uint8Array): KeyObject {
  // Node's own objects: given bytes, it takes ten times as long over finding out what they are.
  return createSecretKey(createHmac("sha256", createSecretKey(value)).update(salt).digest());
}

/** Names the secret a token was made with; tells nothing of it. */
function secretId(secret: Uint8Array): Buffer {
  const digest = createHash("sha256").update("session secret id").update(secret).digest();
  return digest.subarray(0, SECRET_ID_BYTES);
}

type Plain = Omit<SessionCredentials, "sessionToken">;

function encode(session: Plain): Buffer {
  const facts = JSON.stringify([
    session.accessKeyId,
    session.secretAccessKey,
    session.parentAccessKeyId,
    session.account,
    session.kind,
    session.name,
    session.issuedAtMs / 1000,
    session.expiresAtMs / 1000,
  ]);
  const policies = session.policies.map((text) => Buffer.from(`\0${text}`, "latin1"));
  return Buffer.concat([Buffer.from(facts), ...policies]);
}

/** The inverse of `encode`: what is authentic was written by it. */
function decode(plain: Buffer): Plain {
  const zero = plain.indexOf(0);
  const end = zero < 0 ? plain.length : zero;
  const facts = JSON.parse(plain.toString("utf8", 0, end)) as [
    ...texts: [string, string, string, string, string, string],
    issuedAt: number,
    expiresAt: number,
  ];
  const [accessKeyId, secretAccessKey, parentAccessKeyId, account, kind, name] = facts;
  return {
    accessKeyId,
    secretAccessKey,
    parentAccessKeyId,
    account: account as AccountId,
    kind: kind as SessionKind,
    name,
    policies: zero < 0 ? [] : plain.toString("latin1", zero + 1).split("\0"),
    issuedAtMs: facts[6] * 1000,
    expiresAtMs: facts[7] * 1000,
  };
}
