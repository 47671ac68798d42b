import type { Clock } from "../base/clock.ts";
import type { WireRequest } from "../wire/message.ts";
import {
  type Credentials,
  deriveSigningKey,
  EMPTY_PAYLOAD_HASH,
  formatSigningTime,
  signRequest,
  UNSIGNED_PAYLOAD,
} from "../wire/signature.ts";
import { nodeCrypto } from "./node-crypto.ts";

/** Credentials that may end; as the AWS credential providers give them. */
export interface ExpiringCredentials extends Credentials {
  readonly expiration?: Date | undefined;
}

/** Credentials, or a function that finds them. It is asked again only when they expire. */
export type CredentialSource = Credentials | (() => Promise<ExpiringCredentials>);

/** Credentials this close to their end are renewed: longer than any attempt takes. */
const RENEWAL_MS = 5 * 60_000;

/** A request to sign, and how. */
export interface Signable {
  readonly request: WireRequest;
  /** `ebs`, `ec2` or `sts`. */
  readonly service: string;
  /** True for a block: its signed checksum binds the body, which so is hashed only once. */
  readonly isBlock: boolean;
}

/** Signs requests for one host and region. */
export class Signer {
  readonly #host: string;
  readonly #region: string;
  readonly #clock: Clock;
  readonly #source: CredentialSource;
  #found: Promise<ExpiringCredentials> | undefined;
  /** The latest signing key of each service. */
  readonly #keys = new Map<string, { date: string; secret: string; key: Uint8Array }>();

  constructor(parts: {
    readonly host: string;
    readonly region: string;
    readonly clock: Clock;
    readonly credentials: CredentialSource;
  }) {
    this.#host = parts.host;
    this.#region = parts.region;
    this.#clock = parts.clock;
    this.#source = parts.credentials;
  }

  /** All headers of the signed request. */
  async sign({ request, service, isBlock }: Signable): Promise<ReadonlyMap<string, string>> {
    const credentials = await this.#credentials();
    const dateTime = formatSigningTime(this.#clock.nowMs());
    return signRequest(request, {
      credentials,
      host: this.#host,
      dateTime,
      region: this.#region,
      service,
      payloadHash: isBlock ? UNSIGNED_PAYLOAD : payloadHashOf(request.body),
      crypto: nodeCrypto,
      signingKey: this.#signingKey(credentials.secretAccessKey, dateTime.slice(0, 8), service),
    });
  }

  async #credentials(): Promise<Credentials> {
    const source = this.#source;
    if (typeof source !== "function") return source;
    const found = this.#found;
    const known = await found;
    const expiresAtMs = known?.expiration?.getTime() ?? Number.POSITIVE_INFINITY;
    if (known && expiresAtMs - this.#clock.nowMs() > RENEWAL_MS) return known;
    // Whoever comes while it is asked waits for the same answer.
    if (this.#found === found) this.#found = this.#ask(source);
    return (await this.#found) as ExpiringCredentials;
  }

  async #ask(source: () => Promise<ExpiringCredentials>): Promise<ExpiringCredentials> {
    try {
      return await source();
    } catch (error) {
      this.#found = undefined;
      throw error;
    }
  }

  #signingKey(secret: string, date: string, service: string): Uint8Array {
    const known = this.#keys.get(service);
    if (known?.date === date && known.secret === secret) return known.key;
    const key = deriveSigningKey(secret, { date, region: this.#region, service }, nodeCrypto);
    this.#keys.set(service, { date, secret, key });
    return key;
  }
}

function payloadHashOf(body: Uint8Array): string {
  return body.length === 0 ? EMPTY_PAYLOAD_HASH : nodeCrypto.sha256Hex(body);
}
