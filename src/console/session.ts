import { type Client, createClient, getCallerIdentity } from "../client/browser.ts";

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
