import assert from "node:assert/strict";
import { actionParts, send } from "./operations.ts";
import type { Target } from "./raw-http.ts";

/* Temporary credentials, asked for as clients ask: from STS. */

/** One element of an XML answer that has no others in it. */
export function elementOf(xml: string, name: string): string {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  assert.ok(text !== undefined, `${name} in ${xml}`);
  return text;
}

/** The same service, called with temporary credentials that this action of STS gives. */
export async function withSession(
  target: Target,
  action: string,
  parameters: Record<string, string> = {},
): Promise<Target> {
  const response = await send(target, actionParts(action, parameters), { service: "sts" });
  assert.equal(response.status, 200, response.text);
  const [accessKeyId, secretAccessKey, sessionToken] = [
    "AccessKeyId",
    "SecretAccessKey",
    "SessionToken",
  ].map((name) => elementOf(response.text, name)) as [string, string, string];
  return { ...target, firstKey: { key: { accessKeyId, secretAccessKey, sessionToken } } };
}

/** A session as a role, narrowed by a policy where there is one. */
export function asRole(target: Target, account: string, policy?: object): Promise<Target> {
  return withSession(target, "AssumeRole", {
    RoleArn: `arn:aws:iam::${account}:role/backup`,
    RoleSessionName: "nightly",
    ...(policy === undefined ? {} : { Policy: JSON.stringify(policy) }),
  });
}
