import { MS_PER_MINUTE } from "../../model/limits.ts";
import { readTime, required } from "./members.ts";
import { type QueryParameters, queryFault } from "./query.ts";

/* Whether an image is still to be used: deprecated, disabled, protected from being deregistered. */

/** Input of EnableImageDeprecation. */
export interface EnableImageDeprecationRequest {
  readonly ImageId: string;
  /** A whole minute, in milliseconds since 1970. */
  readonly deprecateAtMs: number;
}

/** Reads an EnableImageDeprecation request; seconds are rounded to the nearest minute. */
export function readEnableImageDeprecationRequest(
  parameters: QueryParameters,
): EnableImageDeprecationRequest {
  required(parameters, "DeprecateAt");
  const timeMs = readTime(parameters, "DeprecateAt") ?? 0;
  const deprecateAtMs = Math.round(timeMs / MS_PER_MINUTE) * MS_PER_MINUTE;
  return { ImageId: required(parameters, "ImageId"), deprecateAtMs };
}

/** Reads an EnableImageDeregistrationProtection request. */
export function readEnableProtectionRequest(parameters: QueryParameters): string {
  if (parameters.get("WithCooldown") === "true") {
    const message = "Varve protects images without a cooldown: leave out WithCooldown";
    throw queryFault(400, "UnsupportedOperation", message);
  }
  return readImageId(parameters);
}

/** Reads a request that names an image and nothing else. */
export function readImageId(parameters: QueryParameters): string {
  return required(parameters, "ImageId");
}
