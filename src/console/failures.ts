import { ClientError, isAccessDenied } from "../client/browser.ts";

/** What a failure means for the page. */
export type FailureKind = "offline" | "expired" | "key" | "secret" | "other";

const KINDS: Readonly<Record<string, FailureKind>> = {
  ExpiredToken: "expired",
  ExpiredTokenException: "expired",
  RequestExpired: "expired",
  AuthFailure: "key",
  InvalidClientTokenId: "key",
  UnrecognizedClientException: "key",
  InvalidSignatureException: "secret",
  SignatureDoesNotMatch: "secret",
};

/** Sorts a failure. */
export function failureKind(error: unknown): FailureKind {
  if (!(error instanceof ClientError)) return "other";
  if (error.kind === "connection") return "offline";
  return KINDS[error.code] ?? "other";
}

/**
 * True where the caller is known and may not do this; a session that has ended, or a key that is
 * none any more, is another thing.
 */
export function isForbidden(error: unknown): boolean {
  return isAccessDenied(error) && failureKind(error) === "other";
}

/** A failure as a sentence for people. */
export function failureText(error: unknown): string {
  const { message } = error instanceof Error ? error : { message: String(error) };
  const own = SENTENCES[failureKind(error)];
  return own === undefined ? message : `${own} (${message})`;
}

const SENTENCES: Readonly<Partial<Record<FailureKind, string>>> = {
  offline: "The service does not answer.",
  expired: "These credentials have expired. Sign in with fresh ones.",
  key: "The service knows no such active access key. Check the access key id.",
  secret: "The secret access key does not belong to this access key id, or a clock is wrong.",
};
