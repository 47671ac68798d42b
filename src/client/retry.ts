import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { ClientError } from "./errors.ts";

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
}

/**
 * Runs `attempt` until it succeeds, fails for good, or has been run often enough; then its last
 * error is thrown. Between attempts it waits a random share of a doubling bound ("full jitter"),
 * so that callers who failed together do not come back together.
 */
export async function withRetries<T>(
  policy: RetryPolicy,
  attempt: (attemptNumber: number) => Promise<T>,
): Promise<T> {
  for (let number = 1; ; number++) {
    try {
      return await attempt(number);
    } catch (error) {
      if (!(error instanceof ClientError) || !isRetryable(error)) throw error;
      if (number >= attemptsFor(error, policy)) throw error;
      const delayMs = policy.random.fraction() * delayBoundMs(number);
      policy.onRetry?.({ operation: error.operation, attempt: number, delayMs, error });
      await policy.clock.sleep(delayMs, policy.signal);
    }
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

/** Codes below 500 that mean "later", as EBS, EC2 and services like them spell it. */
const RETRYABLE_CODES = new Set([
  "RequestLimitExceeded",
  "RequestThrottled",
  "RequestThrottledException",
  "RequestTimeout",
  "RequestTimeoutException",
  "SlowDown",
  "Throttling",
  "ThrottlingException",
  "TooManyRequestsException",
]);

/** Reasons that mean "again": an earlier attempt is still at work, or a write took too long. */
const RETRYABLE_REASONS = new Set(["CONFLICTING_BLOCK_UPDATE", "WRITE_REQUEST_TIMEOUT"]);

/** True when the same request may well succeed a moment later. */
export function isRetryable({ kind, status = 0, code, reason, message }: ClientError): boolean {
  if (kind !== "service") return true;
  if (status >= 500 || status === 408 || status === 429) return true;
  if (RETRYABLE_CODES.has(code) || RETRYABLE_REASONS.has(reason ?? "")) return true;
  // A put that was cut off on its way is answered as if the caller had sent too little.
  return message.includes("Failed to read block data");
}
