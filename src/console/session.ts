import { type Client, ClientError, createClient, getCallerIdentity } from "../client/browser.ts";

/** What somebody signs in with. It lives in the memory of the page, and nowhere else. */
export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string | undefined;
}

/** Somebody who has signed in: every call is signed with their key. */
export interface Session {
  readonly client: Client;
  readonly account: string;
  readonly accessKeyId: string;
  readonly arn: string;
  readonly region: string;
}

/** Attempts of one call: a page that waits long tells its reader nothing. */
const ATTEMPTS_MAX = 3;

/** Proves the keys to the service. Throws `ClientError`. */
export async function signIn(keys: Keys): Promise<Session> {
  const { sessionToken, ...pair } = keys;
  const region = regionOfPage();
  const credentials = sessionToken ? { ...pair, sessionToken } : pair;
  const endpoint = location.origin;
  const client = createClient({ endpoint, region, credentials, attemptsMax: ATTEMPTS_MAX });
  try {
    const { Account: account, Arn: arn } = await getCallerIdentity(client);
    return { client, account, arn, region, accessKeyId: pair.accessKeyId };
  } catch (error) {
    client.close();
    throw error;
  }
}

/** The region of the service, which it writes into the page. */
function regionOfPage(): string {
  const meta = document.querySelector<HTMLMetaElement>('meta[name="varve-region"]');
  return meta?.content || "us-east-1";
}

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
