import { type Clock, systemClock } from "../base/clock.ts";
import { Limiter } from "../base/concurrency.ts";
import { type Random, systemRandom } from "../base/random.ts";
import { readQueryErrorResponse } from "../wire/ec2/query.ts";
import { type ReceivedError, readErrorResponse } from "../wire/errors.ts";
import type { ReceivedResponse, WireRequest } from "../wire/message.ts";
import { ClientError, integrityError } from "./errors.ts";
import { type RetryEvent, withRetries } from "./retry.ts";
import { type CredentialSource, Signer } from "./signer.ts";
import { createHttpTransport, type Transport } from "./transport.ts";

/** Milliseconds for one attempt: connecting, sending, and receiving the whole response. */
const ATTEMPT_TIMEOUT_MS_DEFAULT = 30_000;
/** Attempts of one call; with the delays between them, some seconds of outage are bridged. */
const ATTEMPTS_MAX_DEFAULT = 8;
/** Connections, and so requests in flight: AWS's own advice is 100 for one fast machine. */
const CONNECTIONS_MAX_DEFAULT = 64;
/** Bytes of a response: a page of 10,000 changed blocks has about 6 MB. */
const RESPONSE_SIZE_BYTES_MAX = 32 * 1024 * 1024;

/** How to reach a service, and as whom. */
export interface ClientOptions {
  /** `http://` or `https://`, host, and port where it is not the usual one. */
  readonly endpoint: string;
  /** Part of every signature; default `us-east-1`. */
  readonly region?: string | undefined;
  readonly credentials: CredentialSource;
  /** Milliseconds for one attempt as a whole; default 30,000. */
  readonly attemptTimeoutMs?: number | undefined;
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
  /** Hears of this call's attempts that failed and will be repeated, before the client's own. */
  readonly onRetry?: ((event: RetryEvent) => void) | undefined;
}

/** One operation: what to send, and how to understand the answer. */
export interface Call<T> {
  /** As AWS spells it. */
  readonly operation: string;
  readonly service: "ebs" | "ec2" | "sts";
  readonly request: WireRequest;
  /** True where the body is a block, bound by its signed checksum. */
  readonly isBlock?: boolean;
  /** Reads a successful response; what it throws makes the response a corrupt one. */
  readonly read: (response: ReceivedResponse) => T;
}

/** A way to one service. Made by `createClient`, used by the functions of the operations. */
export interface Client {
  /** As given, without a slash at its end. */
  readonly endpoint: string;
  readonly region: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Sends one call, again where that makes sense. Throws `ClientError`. */
  send<T>(call: Call<T>, options?: CallOptions): Promise<T>;
  /** Closes the connections; calls under way fail. */
  close(): void;
}

/**
 * Makes a client. Opens no connection yet, and throws a `TypeError` for an endpoint that is no
 * web address.
 */
export function createClient(options: ClientOptions): Client {
  const url = parseEndpoint(options.endpoint);
  const transport = createHttpTransport(url, connectionsMaxOf(options));
  return createClientOn(transport, options);
}

/** The same on another transport; for tests. */
export function createClientOn(transport: Transport, options: ClientOptions): Client {
  return new HttpClient(transport, options);
}

function connectionsMaxOf({ connectionsMax = CONNECTIONS_MAX_DEFAULT }: ClientOptions): number {
  return connectionsMax;
}

function parseEndpoint(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url && /^https?:$/.test(url.protocol) && !url.search && !url.username) return url;
  throw new TypeError(`Endpoint '${endpoint}' is no address of the form http://host:port`);
}

class HttpClient implements Client {
  readonly endpoint: string;
  readonly region: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly #options: ClientOptions;
  readonly #transport: Transport;
  readonly #limiter: Limiter;
  readonly #signer: Signer;
  readonly #pathPrefix: string;
  #hasAnswered = false;

  constructor(transport: Transport, options: ClientOptions) {
    const url = parseEndpoint(options.endpoint);
    this.endpoint = options.endpoint.replace(/\/+$/, "");
    this.region = options.region ?? "us-east-1";
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? systemRandom;
    this.#options = options;
    this.#transport = transport;
    this.#limiter = new Limiter(connectionsMaxOf(options));
    this.#pathPrefix = url.pathname.replace(/\/+$/, "");
    const { region, clock } = this;
    const { credentials } = options;
    this.#signer = new Signer({ host: url.host, region, clock, credentials });
  }

  send<T>(call: Call<T>, { signal, attemptsMax, onRetry }: CallOptions = {}): Promise<T> {
    const policy = {
      clock: this.clock,
      random: this.random,
      attemptsMax: attemptsMax ?? this.#options.attemptsMax ?? ATTEMPTS_MAX_DEFAULT,
      hasAnswered: () => this.#hasAnswered,
      onRetry: (event: RetryEvent) => {
        onRetry?.(event);
        this.#options.onRetry?.(event);
      },
      signal,
    };
    const attempt = () => this.#attempt(call, signal);
    return withRetries(policy, () => this.#limiter.run(attempt, signal));
  }

  close(): void {
    this.#transport.close();
  }

  async #attempt<T>(call: Call<T>, signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted();
    const { operation } = call;
    const request = { ...call.request, path: `${this.#pathPrefix}${call.request.path}` };
    const { service, isBlock = false } = call;
    const headers = await this.#signer.sign({ request, service, isBlock });
    const { method, path, query, body } = request;
    const target = query === "" ? path : `${path}?${query}`;
    const responseSizeBytesMax = RESPONSE_SIZE_BYTES_MAX;
    const outgoing = { method, target, headers, body, responseSizeBytesMax };
    const response = await this.#withinTime(operation, signal, (ended) =>
      this.#transport.exchange(outgoing, ended),
    );
    this.#hasAnswered = true;
    if (response.status < 200 || response.status > 299) throw serviceError(call, response);
    try {
      return call.read(response);
    } catch (error) {
      if (error instanceof ClientError) throw error;
      throw integrityError(operation, "The service's response cannot be understood.", error);
    }
  }

  /** Gives an attempt a signal that aborts when its time is over or its caller gives up. */
  async #withinTime<T>(
    operation: string,
    signal: AbortSignal | undefined,
    work: (ended: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const timeoutMs = this.#options.attemptTimeoutMs ?? ATTEMPT_TIMEOUT_MS_DEFAULT;
    const attempt = new AbortController();
    const settled = new AbortController();
    const giveUp = () => attempt.abort();
    // Whoever has aborted by now, while the request was signed, is not heard by a listener.
    signal?.throwIfAborted();
    signal?.addEventListener("abort", giveUp, { once: true });
    this.clock.sleep(timeoutMs, settled.signal).then(giveUp, () => undefined);
    try {
      return await work(attempt.signal);
    } catch (cause) {
      signal?.throwIfAborted();
      throw connectionError(operation, cause, attempt.signal.aborted ? timeoutMs : undefined);
    } finally {
      settled.abort();
      signal?.removeEventListener("abort", giveUp);
    }
  }
}

function connectionError(
  operation: string,
  cause: unknown,
  timeoutMs: number | undefined,
): ClientError {
  if (timeoutMs !== undefined) {
    const message = `The service did not answer within ${timeoutMs / 1000} s.`;
    return new ClientError({ kind: "connection", operation, code: "ETIMEDOUT", message, cause });
  }
  const code = codeOf(cause) ?? "ConnectionError";
  const message = cause instanceof Error ? cause.message || code : String(cause);
  return new ClientError({ kind: "connection", operation, code, message, cause });
}

/** The system's code; of several addresses tried in vain, the first one's. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof Error && "code" in error) return String(error.code);
  return error instanceof AggregateError ? codeOf(error.errors[0]) : undefined;
}

function serviceError(call: Call<unknown>, response: ReceivedResponse): ClientError {
  const { code, reason, message } = describe(call, response);
  const { status, headers } = response;
  const requestId = headers.get("x-amzn-requestid") ?? headers.get("x-amz-request-id");
  const { operation } = call;
  const parts = { kind: "service", operation, code, reason, message, status, requestId } as const;
  return new ClientError(parts);
}

function describe({ service }: Call<unknown>, response: ReceivedResponse): ReceivedError {
  if (service === "ebs") return readErrorResponse(response);
  const error = readQueryError(response);
  const message = "The response carries no message";
  return { code: `HTTP ${response.status}`, message, ...error, reason: undefined };
}

function readQueryError(response: ReceivedResponse): { code: string; message: string } | undefined {
  try {
    return readQueryErrorResponse(response);
  } catch {
    // Not XML: something between us and the service has answered in its place.
    return undefined;
  }
}
