import { ClientError, type ClientErrorParts } from "./errors.ts";

/*
 * The errors of the EBS direct APIs as classes, named as AWS's SDK names them. Each is a
 * `ClientError` of the kind `service`; `Reason` says more.
 */

/** The caller may not do this. */
export class AccessDeniedException extends ClientError {
  override readonly name = "AccessDeniedException";
}

/** Too many snapshots are pending at once. */
export class ConcurrentLimitExceededException extends ClientError {
  override readonly name = "ConcurrentLimitExceededException";
}

/** A request with the same client token, or for the same block, has asked for something else. */
export class ConflictException extends ClientError {
  override readonly name = "ConflictException";
}

/** The service has failed; the request may be repeated. */
export class InternalServerException extends ClientError {
  override readonly name = "InternalServerException";
}

/** Too many requests on one snapshot; the client has repeated it in vain. */
export class RequestThrottledException extends ClientError {
  override readonly name = "RequestThrottledException";
}

/** There is no such snapshot, or not yet. */
export class ResourceNotFoundException extends ClientError {
  override readonly name = "ResourceNotFoundException";
}

/** A quota of the account is used up. */
export class ServiceQuotaExceededException extends ClientError {
  override readonly name = "ServiceQuotaExceededException";
}

/** Too many requests of the account; the client has repeated it in vain. */
export class ThrottlingException extends ClientError {
  override readonly name = "ThrottlingException";
}

/** A member is missing, out of its bounds, or does not fit the others. */
export class ValidationException extends ClientError {
  override readonly name = "ValidationException";
}

const CLASSES: ReadonlyMap<string, new (parts: ClientErrorParts) => ClientError> = new Map(
  [
    AccessDeniedException,
    ConcurrentLimitExceededException,
    ConflictException,
    InternalServerException,
    RequestThrottledException,
    ResourceNotFoundException,
    ServiceQuotaExceededException,
    ThrottlingException,
    ValidationException,
  ].map((type) => [type.name, type]),
);

/** The error of the class that its code names; a plain `ClientError` for any other code. */
export function serviceErrorOf(parts: ClientErrorParts): ClientError {
  const Class = CLASSES.get(parts.code) ?? ClientError;
  return new Class(parts);
}
