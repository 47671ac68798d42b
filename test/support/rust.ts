import { join } from "node:path";
import { CACHE, type Tool } from "./program.ts";

/** The release that the AWS SDK asks for. */
export const RUST: readonly Tool[] = [{ show: ["cargo", "--version"], least: [1, 94] }];

/**
 * Where cargo puts what it compiles, and how: quickly. All programs have it in common, so that the
 * AWS SDK is compiled once for those that have the same versions and features of it.
 */
export const CARGO_ENVIRONMENT: Readonly<Record<string, string>> = {
  CARGO_TARGET_DIR: join(CACHE, "cargo"),
  CARGO_PROFILE_DEV_DEBUG: "false",
  CARGO_PROFILE_DEV_INCREMENTAL: "false",
};
