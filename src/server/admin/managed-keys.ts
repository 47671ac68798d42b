import type { AccessKey } from "../../catalog/catalog.ts";
import { PolicyError, parsePolicy } from "../../identity/parse-policy.ts";
import type { Policy } from "../../identity/policy.ts";
import type { Core } from "../../snapshots/core.ts";
import { ServiceFault } from "../../wire/errors.ts";
import { type AdminCall, isOfFirstAccount } from "./admin-call.ts";

/** The access key of that id, if the caller may manage it; else it is not there. */
export async function findAccessKey(
  core: Core,
  { principal, parameters }: AdminCall,
  accessKeyId = parameters["accessKeyId"] ?? "",
): Promise<AccessKey> {
  const key = await core.catalog.identity.accessKey(accessKeyId);
  const isOwn = key?.account === principal.account;
  if (key && (isOwn || (await isOfFirstAccount(core, principal)))) return key;
  throw noSuchKey(accessKeyId);
}

/** Reads a policy; throws MalformedPolicyDocumentException, which names the place. */
export function checkPolicy(text: string): Policy {
  try {
    return parsePolicy(text);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw fault(400, "MalformedPolicyDocumentException", error.message);
  }
}

/** What is said of an access key that is not there, or that the caller may not manage. */
export function noSuchKey(accessKeyId: string): ServiceFault {
  const message = `There is no access key ${accessKeyId.slice(0, 64)}`;
  return fault(404, "NoSuchEntityException", message);
}

/** A refusal of one of these operations. */
export function fault(status: number, code: string, message: string): ServiceFault {
  return new ServiceFault({ status, code, message });
}
