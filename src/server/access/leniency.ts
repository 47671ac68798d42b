import { PRESIGNED_SECONDS_MAX } from "../../model/limits.ts";
import { ServiceFault } from "../../wire/errors.ts";
import { type Authorization, parseAuthorization } from "../../wire/signature.ts";
import type { RequestHead } from "../http/raw-request.ts";

/*
 * What AWS takes from a signer and Varve does not by itself: headers that go unsigned, and
 * signatures in the query. Who calls is proved either way; what a header says that is not signed
 * is not, so a block put so is bound to its checksum by nobody but who sent both.
 */

/** In what an authentication is less strict than by itself. */
export interface Leniency {
  /** Lower-case names of the `x-amz-*` headers of a request that may come unsigned. */
  readonly unsignedHeaders: (head: RequestHead) => readonly string[];
  /** The claim in a query; undefined where there is none. Throws for half of one. */
  readonly claimInQuery: (head: RequestHead) => QueryClaim | undefined;
}

/** Who a request says it comes from, as its query has it. */
export interface QueryClaim {
  readonly authorization: Authorization;
  readonly dateTime: string;
  /** How long it is good for from then on. */
  readonly lifetimeSeconds: number;
  /** The head as it was signed, which is without the signature. */
  readonly signedHead: RequestHead;
}

/** Headers of a put that were seen to be taken by AWS without being signed. */
const UNSIGNED_HEADERS = ["x-amz-checksum", "x-amz-checksum-algorithm", "x-amz-data-length"];

/** As AWS is, as far as it was seen. */
export const AWS_LENIENCY: Leniency = {
  unsignedHeaders: ({ method }) => (method === "PUT" ? UNSIGNED_HEADERS : []),
  claimInQuery: readQueryClaim,
};

function readQueryClaim(head: RequestHead): QueryClaim | undefined {
  const { query, headers } = head;
  if (!/(^|&)X-Amz-(Algorithm|Signature|Credential)=/i.test(query)) return undefined;
  if (headers.has("authorization")) {
    throw incomplete("Sign either with the Authorization header or in the query, not both");
  }
  const pairs = query.split("&").map((pair) => pair.split("=", 2) as [string, string?]);
  const get = (name: string) => onlyValue(pairs, name);
  const authorization = parseAuthorization(
    `${get("X-Amz-Algorithm")} Credential=${get("X-Amz-Credential")}, ` +
      `SignedHeaders=${get("X-Amz-SignedHeaders")}, Signature=${get("X-Amz-Signature")}`,
  );
  if (typeof authorization === "string") throw incomplete(authorization);
  const lifetime = get("X-Amz-Expires");
  const lifetimeSeconds = /^[0-9]{1,6}$/.test(lifetime) ? Number(lifetime) : Number.NaN;
  if (!(lifetimeSeconds >= 1 && lifetimeSeconds <= PRESIGNED_SECONDS_MAX)) {
    throw incomplete(`X-Amz-Expires must be a number from 1 to ${PRESIGNED_SECONDS_MAX}.`);
  }
  const signed = query.split("&").filter((pair) => !pair.startsWith("X-Amz-Signature="));
  const signedHead = { ...head, query: signed.join("&") };
  return { authorization, dateTime: get("X-Amz-Date"), lifetimeSeconds, signedHead };
}

/** The one value of that name; two of them would be two stories. */
function onlyValue(pairs: readonly (readonly [string, string?])[], name: string): string {
  const values = pairs.filter(([other]) => other.toLowerCase() === name.toLowerCase());
  const [[spelled, value] = []] = values;
  if (values.length !== 1 || spelled !== name || !value) {
    throw incomplete(`AWS query-string parameters must include '${name}' once.`);
  }
  try {
    return decodeURIComponent(value);
  } catch {
    throw incomplete(`Query-string parameter '${name}' is not percent-encoded.`);
  }
}

function incomplete(message: string): ServiceFault {
  return new ServiceFault({ status: 400, code: "IncompleteSignatureException", message });
}
