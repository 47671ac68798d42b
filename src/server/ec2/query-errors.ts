import { ServiceError } from "../../model/errors.ts";
import { type QueryService, queryFault } from "../../wire/ec2/query.ts";
import { ServiceFault } from "../../wire/errors.ts";

/**
 * An authentication error, or a failure of the service that says what to do, in the words of the
 * service that was called; others stay as they are.
 */
export function forQueryService(service: QueryService, error: unknown): unknown {
  if (error instanceof ServiceError && error.code === "InternalServerException") {
    // A full disk, or a store that takes no changes for now.
    return queryFault(500, "InternalError", error.message);
  }
  if (!(error instanceof ServiceFault)) return error;
  const isRefusal =
    error.code === "UnrecognizedClientException" || error.code === "InvalidSignatureException";
  if (isRefusal && service === "ec2") {
    // EC2 never says which of key and signature was wrong; the detail of a wrong scope or clock
    // helps the honest caller and tells an attacker nothing, so it is kept.
    const known = "AWS was not able to validate the provided access credentials";
    const isDetailed = /^(Credential should|Signature (expired|not yet)|Date in|'Host')/.test(
      error.message,
    );
    return queryFault(401, "AuthFailure", isDetailed ? `${known}. ${error.message}` : known);
  }
  if (error.code === "ExpiredTokenException" && service === "ec2") {
    return queryFault(400, "RequestExpired", "Request has expired.");
  }
  if (error.code === "ValidationException" && service === "sts") {
    return queryFault(error.status, "ValidationError", error.message);
  }
  if (error.code === "UnrecognizedClientException") {
    return queryFault(403, "InvalidClientTokenId", error.message);
  }
  if (error.code === "InvalidSignatureException") {
    return queryFault(403, "SignatureDoesNotMatch", error.message);
  }
  return queryFault(error.status, error.code.replace(/Exception$/, ""), error.message);
}

/** Throws an error of the service in EC2's words, where a key is at fault; others as they are. */
export function rethrowForEc2(error: unknown): never {
  const reasons = ["INVALID_DEPENDENCY_REQUEST", "DEPENDENCY_RESOURCE_NOT_FOUND"];
  if (error instanceof ServiceError && reasons.includes(error.reason ?? "")) {
    throw queryFault(400, "InvalidParameterValue", error.message);
  }
  throw error;
}
