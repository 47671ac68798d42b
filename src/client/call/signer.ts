import type { Clock } from "../../base/clock.ts";
import type { WireRequest } from "../../wire/message.ts";
import {
  type Credentials,
  deriveSigningKey,
  EMPTY_PAYLOAD_HASH,
  formatSigningTime,
  type SigningCrypto,
  signRequest,
  UNSIGNED_PAYLOAD,
} from "../../wire/signature.ts";

/** Credentials that may end; as the AWS credential providers give them. */
export interface ExpiringCredentials extends Credentials {
  readonly expiration?: Date | undefined;
}

/** Credentials, or a function that finds them. It is asked again some minutes before they end. */
export type CredentialSource = Credentials | (() => Promise<ExpiringCredentials>);

/** Credentials this close to their end are renewed, while requests still go out with them. */
const RENEWAL_MS = 5 * 60_000;
/** This close to it nothing is signed before a renewal has been tried: longer than any attempt. */
const WAITING_MS = 60_000;
/** From a renewal to the next one, where the credentials found are no better than those known. */
const RENEWAL_PAUSE_MS = 10_000;
/** Milliseconds for a function that finds credentials; a browser for single sign-on is slow. */
const SEARCH_TIMEOUT_MS = 120_000;

/** A request to sign, and how. */
export interface Signable {
  readonly request: WireRequest;
  /** `ebs`, `ec2` or `sts`. */
  readonly service: string;
  /** `host:port` that the request goes to. */
  readonly host: string;
  /** True for a block: its signed checksum binds the body, which so is hashed only once. */
  readonly isBlock: boolean;
}

/** Signs requests for one region. */
export class Signer {
  readonly #crypto: SigningCrypto;
  readonly #region: string;
  readonly #clock: Clock;
  readonly #source: CredentialSource;
  readonly #closed = new AbortController();
  #time = { second: Number.NaN, text: "" };
  #known: ExpiringCredentials | undefined;
  /** The search under way: there is one at a time, and whoever needs its answer waits for it. */
  #search: Promise<ExpiringCredentials> | undefined;
  /** Monotonic; credentials that are still good are not renewed before. */
  #renewalAtMs = Number.NEGATIVE_INFINITY;
  /** The latest signing key of each service. */
  readonly #keys = new Map<string, { date: string; secret: string; key: Uint8Array }>();

  constructor(parts: {
    readonly region: string;
    readonly clock: Clock;
    readonly credentials: CredentialSource;
    readonly crypto: SigningCrypto;
  }) {
    this.#crypto = parts.crypto;
    this.#region = parts.region;
    this.#clock = parts.clock;
    this.#source = parts.credentials;
  }

  /** All headers of the signed request. */
  async sign(signable: Signable): Promise<ReadonlyMap<string, string>> {
    const { request, service, host, isBlock } = signable;
    const credentials = await this.#credentials();
    const dateTime = this.#signingTime();
    return signRequest(request, {
      credentials,
      host,
      dateTime,
      region: this.#region,
      service,
      payloadHash: isBlock ? UNSIGNED_PAYLOAD : this.#payloadHash(request.body),
      crypto: this.#crypto,
      signingKey: this.#signingKey(credentials.secretAccessKey, dateTime.slice(0, 8), service),
    });
  }

  /** Ends the waiting for credentials. */
  close(): void {
    this.#closed.abort(new Error("The client was closed"));
  }

  /** The time of a signature, which is the same for all requests of a second. */
  #signingTime(): string {
    const second = Math.floor(this.#clock.nowMs() / 1_000);
    if (second !== this.#time.second) {
      this.#time = { second, text: formatSigningTime(second * 1_000) };
    }
    return this.#time.text;
  }

  /**
   * Credentials that are good now. As long as those known are, no renewal that fails, or that
   * takes its time, keeps a request from being sent.
   */
  async #credentials(): Promise<Credentials> {
    const source = this.#source;
    if (typeof source !== "function") return source;
    const known = this.#known;
    if (known === undefined || this.#leftMs(known) <= 0) return this.#find(source);
    if (this.#leftMs(known) > RENEWAL_MS || this.#isTooSoon()) return known;
    const renewal = this.#find(source).catch(() => known);
    return this.#leftMs(known) > WAITING_MS ? known : renewal;
  }

  /** Milliseconds for which credentials are still good. */
  #leftMs({ expiration }: ExpiringCredentials): number {
    const expiresAtMs = expiration?.getTime() ?? Number.POSITIVE_INFINITY;
    return expiresAtMs - this.#clock.nowMs();
  }

  #isTooSoon(): boolean {
    return this.#search === undefined && this.#clock.monotonicMs() < this.#renewalAtMs;
  }

  #find(source: () => Promise<ExpiringCredentials>): Promise<ExpiringCredentials> {
    this.#search ??= this.#ask(source).finally(() => {
      this.#search = undefined;
    });
    return this.#search;
  }

  async #ask(source: () => Promise<ExpiringCredentials>): Promise<ExpiringCredentials> {
    const leftMs = this.#known === undefined ? 0 : this.#leftMs(this.#known);
    let isBetter = false;
    try {
      const found = await this.#withinTime(source());
      isBetter = this.#leftMs(found) > leftMs;
      this.#known = found;
      return found;
    } finally {
      const pauseMs = isBetter ? 0 : RENEWAL_PAUSE_MS;
      this.#renewalAtMs = this.#clock.monotonicMs() + pauseMs;
    }
  }

  #signingKey(secret: string, date: string, service: string): Uint8Array {
    const known = this.#keys.get(service);
    if (known?.date === date && known.secret === secret) return known.key;
    const key = deriveSigningKey(secret, { date, region: this.#region, service }, this.#crypto);
    this.#keys.set(service, { date, secret, key });
    return key;
  }

  #payloadHash(body: Uint8Array): string {
    return body.length === 0 ? EMPTY_PAYLOAD_HASH : this.#crypto.sha256Hex(body);
  }

  /** The answer of a search for credentials, unless it takes too long or the client is closed. */
  async #withinTime<T>(search: Promise<T>): Promise<T> {
    const settled = new AbortController();
    const ended = AbortSignal.any([settled.signal, this.#closed.signal]);
    const timeUp = this.#clock.sleep(SEARCH_TIMEOUT_MS, ended).then(() => {
      const message = `No credentials were found within ${SEARCH_TIMEOUT_MS / 1000} s.`;
      throw Object.assign(new Error(message), { name: "CredentialsProviderError" });
    });
    try {
      return await Promise.race([search, timeUp]);
    } finally {
      timeUp.catch(() => undefined);
      settled.abort();
    }
  }
}
