import type { Environment } from "../../client/index.ts";
import {
  ENDPOINT_DEFAULT,
  endpointGiven,
  endpointOfService,
} from "../../client/settings/aws-settings.ts";

export type { Environment } from "../../client/index.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  readonly endpoint?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly caFile?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** The service to talk to: the option, the usual variables, or the address `serve` listens on. */
export function endpointFrom(options: GlobalOptions, env: Environment): string {
  return endpointGiven(options, env) ?? endpointOfService("ebs", env) ?? ENDPOINT_DEFAULT;
}

/** The region named by the option or the environment, if any. */
export function regionGiven({ region }: GlobalOptions, env: Environment): string | undefined {
  return region ?? (env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] || undefined);
}
