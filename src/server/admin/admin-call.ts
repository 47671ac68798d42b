import type { Principal } from "../../identity/principal.ts";
import { ServiceError } from "../../model/errors.ts";
import type { ServerSignals } from "../../signals/signals.ts";
import type { Core } from "../../snapshots/core.ts";
import type { AdminOperationName } from "../../wire/admin/routes.ts";
import type { WireRequest, WireResponse } from "../../wire/message.ts";

/** An authenticated call of an operation of ours: on accounts, access keys or the store. */
export interface AdminCall {
  readonly principal: Principal;
  readonly request: WireRequest;
  /** Parameters of the path. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly signals: ServerSignals;
}

/** One operation from message to message. */
export type AdminOperation = (core: Core, call: AdminCall) => Promise<WireResponse>;

/** True for callers of the account that manages the store and the others. */
export async function isOfFirstAccount(core: Core, { account }: Principal): Promise<boolean> {
  const [first] = await core.catalog.identity.accounts();
  return first === account;
}

/** Throws unless the caller is of the account that manages the store. */
export async function checkManagesStore(
  core: Core,
  { principal }: AdminCall,
  operation: AdminOperationName,
): Promise<void> {
  if (!(await isOfFirstAccount(core, principal))) throw denied(principal, operation);
}

/** What a caller is told who may not manage this. */
export function denied({ arn }: Principal, operation: AdminOperationName): ServiceError {
  const message =
    `User: ${arn} is not authorized to perform: varve:${operation} because that is left to ` +
    "access keys without a policy, of the account itself or of the first one";
  return new ServiceError("AccessDeniedException", undefined, message);
}
