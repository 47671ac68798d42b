import assert from "node:assert/strict";
import { kmsParts, send } from "./operations.ts";
import type { Target } from "./raw-http.ts";

/*
 * Accounts, access keys and encryption keys, made as an operator makes them: through the service
 * itself.
 */

/** A call of an operation under /varve/ with a JSON body; answers status and parsed body. */
export async function admin(
  target: Target,
  [method, path]: readonly [method: string, path: string],
  input?: object,
): Promise<{ readonly status: number; readonly json: Record<string, unknown> }> {
  const body = input === undefined ? new Uint8Array(0) : Buffer.from(JSON.stringify(input));
  const response = await send(target, { method, path: `/varve${path}`, body });
  return { status: response.status, json: JSON.parse(response.text) as Record<string, unknown> };
}

/** A new account's id. */
export async function newAccount(target: Target): Promise<string> {
  const { status, json } = await admin(target, ["POST", "/accounts"], {});
  assert.equal(status, 201, JSON.stringify(json));
  return json["AccountId"] as string;
}

/** The same service, called with a new access key of an account. */
export async function withNewKey(
  target: Target,
  { account = "self", policy }: { readonly account?: string; readonly policy?: object } = {},
): Promise<Target> {
  const input = policy === undefined ? {} : { PolicyDocument: JSON.stringify(policy) };
  const { status, json } = await admin(target, ["POST", `/accounts/${account}/keys`], input);
  assert.equal(status, 201, JSON.stringify(json));
  const accessKeyId = json["AccessKeyId"] as string;
  const secretAccessKey = json["SecretAccessKey"] as string;
  return { ...target, firstKey: { key: { accessKeyId, secretAccessKey } } };
}

/** A new encryption key of the target's account; answers its id. */
export async function newEncryptionKey(target: Target): Promise<string> {
  const { status, text } = await send(target, kmsParts("CreateKey"), { service: "kms" });
  assert.equal(status, 200, text);
  return (JSON.parse(text) as { KeyMetadata: { KeyId: string } }).KeyMetadata.KeyId;
}

/** A policy of one statement for each list of actions, on everything. */
export function policyOf(...statements: readonly object[]): object {
  return {
    Version: "2012-10-17",
    Statement: statements.map((each) => ({ Effect: "Allow", Resource: "*", ...each })),
  };
}
