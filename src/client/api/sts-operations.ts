import {
  type CallerIdentity,
  readGetCallerIdentityResponse,
  writeGetCallerIdentityRequest,
} from "../../wire/ec2/get-caller-identity.ts";
import {
  readCredentialsResponse,
  type TemporaryCredentials,
  writeGetFederationTokenRequest,
  writeGetSessionTokenRequest,
} from "../../wire/ec2/sessions.ts";
import type { CallOptions, Client } from "../call/client.ts";

/* Temporary credentials from STS; the service answers it at the same address. */

/** Who the caller is; no policy can deny it, so it tells whether credentials are good. */
export function getCallerIdentity(client: Client, options?: CallOptions): Promise<CallerIdentity> {
  const operation = "GetCallerIdentity";
  const request = writeGetCallerIdentityRequest();
  const read = readGetCallerIdentityResponse;
  return client.send({ operation, service: "sts", request, read }, options);
}

/** Temporary credentials of the caller's own access key, for 900 to 129,600 seconds. */
export function getSessionToken(
  client: Client,
  input: { readonly DurationSeconds?: number } = {},
  options?: CallOptions,
): Promise<TemporaryCredentials> {
  const operation = "GetSessionToken";
  const request = writeGetSessionTokenRequest(input);
  const read = readCredentialsResponse.bind(undefined, operation);
  return client.send({ operation, service: "sts", request, read }, options);
}

/**
 * Temporary credentials in another name that may do what both the caller's access key and this
 * policy allow; without a policy, nothing.
 */
export function getFederationToken(
  client: Client,
  input: { readonly Name: string; readonly Policy?: string; readonly DurationSeconds?: number },
  options?: CallOptions,
): Promise<TemporaryCredentials> {
  const operation = "GetFederationToken";
  const request = writeGetFederationTokenRequest(input);
  const read = readCredentialsResponse.bind(undefined, operation);
  return client.send({ operation, service: "sts", request, read }, options);
}
