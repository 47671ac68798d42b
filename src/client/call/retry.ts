import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import { ClientError } from "../errors.ts";
import type { RetryBudget } from "./retry-budget.ts";

/** Upper bound of the first delay; each further one is twice as high. */
const DELAY_MS_BASE = 100;
/** No delay is longer. */
const DELAY_MS_MAX = 5_000;
/** Attempts at a service that never answered: a wrong address is told at once, not after long. */
const FIRST_CONTACT_ATTEMPTS_MAX = 3;

/** An attempt failed and another one follows. */
export interface RetryEvent {
  readonly operation: string;
  /** Number of the attempt that failed, from 1. */
  readonly attempt: number;
  /** Milliseconds until the next. */
  readonly delayMs: number;
  readonly error: ClientError;
}

/** How often and how fast to try again. */
export interface RetryPolicy {
  readonly clock: Clock;
  readonly random: Random;
  /** Attempts in all, at least 1. */
  readonly attemptsMax: number;
  /** True once the service has answered anything at all. */
  readonly hasAnswered: () => boolean;
  readonly onRetry?: ((event: RetryEvent) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What the client as a whole may repeat; default: everything. */
  readonly budget?: RetryBudget | undefined;
  /** Milliseconds that are left of the call's whole time; default: no end of them. */
  readonly remainingMs?: (() => number) | undefined;
}

/**
 * Runs `attempt` until it succeeds, fails for good, or has been run often or long enough; then its
 * last error is thrown. Between attempts it waits a random share of a doubling bound ("full
 * jitter"), so that callers who failed together do not come back together, and longer where the
 * budget says so.
 */
export async function withRetries<T>(
  policy: RetryPolicy,
  attempt: (attemptNumber: number, signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  const first = await outcomeOf(() => attempt(1, policy.signal));
  if (!first.failed) {
    policy.budget?.succeeded();
    return first.answer;
  }
  checkRetryable(first.error, 1, policy);
  return repeat(policy, first.error, attempt);
}

/** All attempts after the first, within what is left of the call's time. */
async function repeat<T>(
  policy: RetryPolicy,
  firstError: ClientError,
  attempt: (attemptNumber: number, signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  const deadline = new Deadline(policy);
  let error = firstError;
  try {
    for (let number = 1; ; number++) {
      const delayMs = delayAfter(number, policy);
      if (delayMs === undefined) throw error;
      policy.onRetry?.({ operation: error.operation, attempt: number, delayMs, error });
      await policy.clock.sleep(delayMs, policy.signal);
      const next = await outcomeOf(() => attempt(number + 1, deadline.signal));
      if (!next.failed) {
        policy.budget?.succeeded();
        return next.answer;
      }
      if (deadline.isOver) throw error;
      checkRetryable(next.error, number + 1, policy);
      error = next.error;
    }
  } finally {
    deadline.clear();
  }
}

type Outcome<T> =
  | { readonly failed: false; readonly answer: T }
  | { readonly failed: true; readonly error: unknown };

async function outcomeOf<T>(attempt: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { failed: false, answer: await attempt() };
  } catch (error) {
    return { failed: true, error };
  }
}

/** Throws the error where no further attempt may follow. */
function checkRetryable(
  error: unknown,
  attemptNumber: number,
  policy: RetryPolicy,
): asserts error is ClientError {
  if (!(error instanceof ClientError) || !isRetryable(error)) throw error;
  if (attemptNumber >= attemptsFor(error, policy)) throw error;
}

/** Milliseconds until the next attempt, or undefined where there is no time or budget for one. */
function delayAfter(attemptNumber: number, policy: RetryPolicy): number | undefined {
  const { budget, clock, random, remainingMs } = policy;
  const jitterMs = random.fraction() * delayBoundMs(attemptNumber);
  const budgetMs = budget === undefined ? 0 : budget.take(clock.monotonicMs());
  if (budgetMs === undefined) return undefined;
  const delayMs = Math.max(jitterMs, budgetMs);
  return delayMs < (remainingMs?.() ?? Number.POSITIVE_INFINITY) ? delayMs : undefined;
}

/** The end of a call's whole time, as a signal that also aborts when the caller gives up. */
class Deadline {
  readonly signal: AbortSignal | undefined;
  readonly #over = new AbortController();
  readonly #cleared = new AbortController();

  constructor({ clock, signal, remainingMs }: RetryPolicy) {
    const ms = remainingMs?.();
    if (ms === undefined) {
      this.signal = signal;
      return;
    }
    const end = () => this.#over.abort();
    clock.sleep(ms, this.#cleared.signal).then(end, () => undefined);
    const over = this.#over.signal;
    this.signal = signal === undefined ? over : AbortSignal.any([signal, over]);
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  clear(): void {
    this.#cleared.abort();
  }
}

/** Longest delay in milliseconds after that attempt, counted from 1. */
export function delayBoundMs(attemptNumber: number): number {
  return Math.min(DELAY_MS_MAX, DELAY_MS_BASE * 2 ** (attemptNumber - 1));
}

function attemptsFor(error: ClientError, policy: RetryPolicy): number {
  if (error.kind !== "connection" || policy.hasAnswered()) return policy.attemptsMax;
  return Math.min(policy.attemptsMax, FIRST_CONTACT_ATTEMPTS_MAX);
}

/** Codes that mean "too fast", as EBS, EC2 and services like them spell it. */
const THROTTLING_CODES = new Set([
  "RequestLimitExceeded",
  "RequestThrottled",
  "RequestThrottledException",
  "SlowDown",
  "Throttling",
  "ThrottlingException",
  "TooManyRequestsException",
]);

/** Codes below 500 that mean "again". */
const RETRYABLE_CODES = new Set(["RequestTimeout", "RequestTimeoutException"]);

/** Reasons that mean "again": an earlier attempt is still at work, or a write took too long. */
const RETRYABLE_REASONS = new Set(["CONFLICTING_BLOCK_UPDATE", "WRITE_REQUEST_TIMEOUT"]);

/** The system's codes for a certificate that will be no better a moment later. */
const CERTIFICATE_CODES = new Set([
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/** True when the service was not to be trusted, for its certificate. */
export function isCertificateError({ kind, code }: ClientError): boolean {
  return kind === "connection" && CERTIFICATE_CODES.has(code);
}

/** True when the service says that requests come too fast. */
export function isThrottling({ kind, status, code }: ClientError): boolean {
  return kind === "service" && (status === 429 || THROTTLING_CODES.has(code));
}

/** True when the same request may well succeed a moment later. */
export function isRetryable(error: ClientError): boolean {
  const { kind, status = 0, code, reason, message } = error;
  if (kind !== "service") return !isCertificateError(error);
  if (status >= 500 || status === 408 || isThrottling(error)) return true;
  if (RETRYABLE_CODES.has(code) || RETRYABLE_REASONS.has(reason ?? "")) return true;
  // A put that was cut off on its way is answered as if the caller had sent too little.
  return message.includes("Failed to read block data");
}
