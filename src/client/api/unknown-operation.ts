import { isRetryable } from "../call/retry.ts";
import { ClientError } from "../errors.ts";

/** True when a service answers that it does not know what was asked for, as AWS answers ours. */
export function isOperationUnknown(error: unknown): boolean {
  if (!(error instanceof ClientError) || error.kind !== "service") return false;
  // A service that is busy has not said what it knows.
  if (isRetryable(error)) return false;
  const { status = 0, reason } = error;
  // AWS answers an unknown path as it answers wrong parameters or callers; the next call tells.
  return ((status >= 400 && status < 500) || status === 501) && reason !== "SNAPSHOT_NOT_FOUND";
}
