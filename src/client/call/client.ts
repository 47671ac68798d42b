import { type Clock, systemClock } from "../../base/clock.ts";
import { Limiter } from "../../base/concurrency.ts";
import { type Random, systemRandom } from "../../base/random.ts";
import { REGION_DEFAULT } from "../../model/defaults.ts";
import type { ReceivedResponse, WireRequest } from "../../wire/message.ts";
import { ClientError, integrityError } from "../errors.ts";
import type { Transport } from "../transport/transport.ts";
import { connectionError, receivedError } from "./_call-errors.ts";
import { type Endpoints, resolveEndpoints, type ServiceName } from "./endpoints.ts";
import type { Hashing } from "./hashing.ts";
import { Pace } from "./pace.ts";
import { isThrottling, type RetryEvent, withRetries } from "./retry.ts";
import { RetryBudget } from "./retry-budget.ts";
import { type CredentialSource, Signer } from "./signer.ts";

/** Milliseconds for one attempt: connecting, sending, and receiving the whole response. */
const ATTEMPT_TIMEOUT_MS_DEFAULT = 30_000;
/** Milliseconds for one call: all its attempts, were each to take all its time, and the delays. */
const CALL_TIMEOUT_MS_DEFAULT = 300_000;
/** Attempts of one call; with the delays between them, some seconds of outage are bridged. */
const ATTEMPTS_MAX_DEFAULT = 8;
/** Connections, and so requests in flight: AWS's own advice is 100 for one fast machine. */
const CONNECTIONS_MAX_DEFAULT = 64;
/** Bytes of a response: a page of 10,000 changed blocks has about 6 MB. */
const RESPONSE_SIZE_BYTES_MAX = 32 * 1024 * 1024;

/** How to reach a service, and as whom. */
export interface ClientOptions {
  /**
   * `http://` or `https://`, host, and port where it is not the usual one; or `aws`, which means
   * AWS's own addresses in the region.
   */
  readonly endpoint: string;
  /** Where single services are elsewhere: EC2 and STS have addresses of their own at AWS. */
  readonly endpoints?: Readonly<Partial<Record<ServiceName, string>>> | undefined;
  /** With the endpoint `aws`: the addresses that are validated after FIPS 140. */
  readonly useFipsEndpoint?: boolean | undefined;
  /** Part of every signature; default `us-east-1`. */
  readonly region?: string | undefined;
  readonly credentials: CredentialSource;
  /** Milliseconds for one attempt as a whole; default 30,000. */
  readonly attemptTimeoutMs?: number | undefined;
  /** Milliseconds for one call with all its attempts, once it has begun; default 300,000. */
  readonly timeoutMs?: number | undefined;
  /** Attempts of one call, at least 1; default 8. */
  readonly attemptsMax?: number | undefined;
  /** Requests in flight at once; default 64. */
  readonly connectionsMax?: number | undefined;
  /** Hears of each attempt that failed and will be repeated. */
  readonly onRetry?: ((event: RetryEvent) => void) | undefined;
  /** Default: the machine's own. */
  readonly clock?: Clock | undefined;
  /** Default: the platform's own. */
  readonly random?: Random | undefined;
}

/** What any single call can be given. */
export interface CallOptions {
  /** Ends the call, and the attempt under way, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Attempts of this call, where it should differ from the client's. */
  readonly attemptsMax?: number | undefined;
  /** Milliseconds for one attempt, where it should differ from the client's. */
  readonly attemptTimeoutMs?: number | undefined;
  /** Milliseconds for the call with all its attempts, where it should differ from the client's. */
  readonly timeoutMs?: number | undefined;
  /** Hears of this call's attempts that failed and will be repeated, before the client's own. */
  readonly onRetry?: ((event: RetryEvent) => void) | undefined;
}

/** One operation: what to send, and how to understand the answer. */
export interface Call<T> {
  /** As AWS spells it. */
  readonly operation: string;
  readonly service: ServiceName;
  readonly request: WireRequest;
  /** True where the body is a block, bound by its signed checksum. */
  readonly isBlock?: boolean;
  /** Reads a successful response; what it throws makes the response a corrupt one. */
  readonly read: (response: ReceivedResponse) => T | Promise<T>;
}

/** A way to one service. Made by `createClient`, used by the functions of the operations. */
export interface Client {
  /** Where the EBS direct APIs are, without a slash at its end. */
  readonly endpoint: string;
  readonly region: string;
  readonly clock: Clock;
  readonly random: Random;
  /** How blocks are hashed; default: by WebCrypto, which every platform has. */
  readonly hashing?: Hashing | undefined;
  /** Sends one call, again where that makes sense. Throws `ClientError`. */
  send<T>(call: Call<T>, options?: CallOptions): Promise<T>;
  /** Closes the connections; calls under way fail. */
  close(): void;
}

/** What a platform does for a client. */
export interface Platform {
  readonly transport: Transport;
  readonly hashing: Hashing;
}

/**
 * Makes a client on any platform. Opens no connection yet, and throws a `TypeError` for an
 * endpoint that is no web address.
 */
export function createClientOn(platform: Platform, options: ClientOptions): Client {
  return new HttpClient(platform, options);
}

/** Requests in flight at once. */
export function connectionsMaxOf({
  connectionsMax = CONNECTIONS_MAX_DEFAULT,
}: Pick<ClientOptions, "connectionsMax">): number {
  return connectionsMax;
}

class HttpClient implements Client {
  readonly endpoint: string;
  readonly region: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly hashing: Hashing;
  readonly #options: ClientOptions;
  readonly #endpoints: Endpoints;
  readonly #transport: Transport;
  readonly #limiter: Limiter;
  readonly #signer: Signer;
  readonly #budget = new RetryBudget();
  /** By operation: AWS's quotas differ from one to the next. */
  readonly #paces = new Map<string, Pace>();
  #hasAnswered = false;

  constructor({ transport, hashing }: Platform, options: ClientOptions) {
    this.region = options.region ?? REGION_DEFAULT;
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? systemRandom;
    this.hashing = hashing;
    this.#endpoints = resolveEndpoints({ ...options, region: this.region });
    this.endpoint = textOf(this.#endpoints.ebs);
    this.#options = options;
    this.#transport = transport;
    this.#limiter = new Limiter(connectionsMaxOf(options));
    const { region, clock } = this;
    const { credentials } = options;
    this.#signer = new Signer({ region, clock, credentials, crypto: hashing.signing });
  }

  send<T>(call: Call<T>, options: CallOptions = {}): Promise<T> {
    const { signal, onRetry } = options;
    const attemptsMax = options.attemptsMax ?? this.#options.attemptsMax ?? ATTEMPTS_MAX_DEFAULT;
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs ?? CALL_TIMEOUT_MS_DEFAULT;
    // Not counted is the time until the first attempt: whoever starts a thousand calls at once
    // should not see the last of them fail.
    let startedAtMs: number | undefined;
    const remainingMs = () => {
      const nowMs = this.clock.monotonicMs();
      startedAtMs ??= nowMs;
      return Math.max(0, startedAtMs + timeoutMs - nowMs);
    };
    const policy = {
      clock: this.clock,
      random: this.random,
      attemptsMax,
      budget: this.#budget,
      remainingMs,
      hasAnswered: () => this.#hasAnswered,
      onRetry: (event: RetryEvent) => {
        onRetry?.(event);
        this.#options.onRetry?.(event);
      },
      signal,
    };
    const attemptTimeoutMs = options.attemptTimeoutMs ?? this.#options.attemptTimeoutMs;
    return withRetries(policy, (number, ended) => {
      const attempt = () => {
        const timeMs = Math.min(attemptTimeoutMs ?? ATTEMPT_TIMEOUT_MS_DEFAULT, remainingMs());
        return this.#attempt(call, timeMs, ended);
      };
      return this.#limiter.run(attempt, ended, number > 1);
    });
  }

  close(): void {
    this.#signer.close();
    this.#transport.close();
  }

  async #attempt<T>(call: Call<T>, timeMs: number, signal: AbortSignal | undefined): Promise<T> {
    const pace = this.#paceOf(call.operation);
    const takenAtMs = this.clock.monotonicMs();
    const waitMs = pace.take(takenAtMs);
    if (waitMs > 0) await this.clock.sleep(waitMs, signal);
    try {
      return await this.#exchange(call, timeMs, signal);
    } catch (error) {
      if (error instanceof ClientError && isThrottling(error)) {
        pace.throttled(takenAtMs, this.clock.monotonicMs());
      }
      throw error;
    }
  }

  async #exchange<T>(call: Call<T>, timeMs: number, signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted();
    const { operation, service, isBlock = false } = call;
    const endpoint = this.#endpoints[service];
    const path = `${endpoint.pathname.replace(/\/+$/, "")}${call.request.path}`;
    const request = { ...call.request, path };
    const signed = this.#signer.sign({ request, service, isBlock, host: endpoint.host });
    const headers = await unlessAborted(signed, signal);
    const { method, query, body } = request;
    const target = query === "" ? path : `${path}?${query}`;
    const responseSizeBytesMax = RESPONSE_SIZE_BYTES_MAX;
    const outgoing = { endpoint, method, target, headers, body, responseSizeBytesMax };
    const within = { operation, endpoint: textOf(endpoint), timeMs, signal };
    const response = await this.#withinTime(within, (ended) =>
      this.#transport.exchange(outgoing, ended),
    );
    this.#hasAnswered = true;
    if (response.status < 200 || response.status > 299) {
      throw receivedError(call, response, textOf(endpoint));
    }
    try {
      return await call.read(response);
    } catch (error) {
      if (error instanceof ClientError) throw error;
      throw integrityError(operation, "The service's response cannot be understood.", error);
    }
  }

  #paceOf(operation: string): Pace {
    const known = this.#paces.get(operation);
    if (known !== undefined) return known;
    const pace = new Pace();
    this.#paces.set(operation, pace);
    return pace;
  }

  /** Gives an attempt a signal that aborts when its time is over or its caller gives up. */
  async #withinTime<T>(
    { operation, endpoint, timeMs, signal }: AttemptBounds,
    work: (ended: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const attempt = new AbortController();
    const settled = new AbortController();
    const giveUp = () => attempt.abort(ENDED);
    // Whoever has aborted by now, while the request was signed, is not heard by a listener.
    signal?.throwIfAborted();
    signal?.addEventListener("abort", giveUp, { once: true });
    this.clock.sleep(timeMs, settled.signal).then(giveUp, () => undefined);
    try {
      return await work(attempt.signal);
    } catch (cause) {
      signal?.throwIfAborted();
      const timeoutMs = attempt.signal.aborted ? timeMs : undefined;
      throw connectionError({ operation, endpoint, timeoutMs, cause });
    } finally {
      settled.abort(ENDED);
      signal?.removeEventListener("abort", giveUp);
    }
  }
}

/** A reason of our own: the one that is made up for want of any carries a stack, each time. */
const ENDED = new Error("The attempt has ended");

interface AttemptBounds {
  readonly operation: string;
  readonly endpoint: string;
  readonly timeMs: number;
  readonly signal: AbortSignal | undefined;
}

function textOf(endpoint: URL): string {
  return endpoint.href.replace(/\/+$/, "");
}

/** The work's answer, or the signal's reason as soon as it aborts. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const giveUp = () => reject(signal.reason);
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}
