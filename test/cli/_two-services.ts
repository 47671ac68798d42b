import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Service, ServiceConfig } from "../../src/service.ts";
import { awsEnvironment, startService } from "../support/service.ts";
import { type Cleanup, temporaryDirectory } from "../support/temporary-directory.ts";
import { type Outcome, type RunOptions, runVarve } from "./_varve.ts";

/** Two services of different owners, and the command that knows both. */
export interface TwoServices {
  readonly source: Service;
  readonly destination: Service;
  readonly folder: string;
  /** Runs the command against the source. */
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<Outcome>;
  /** Options that name the destination. */
  readonly to: readonly string[];
}

/** Starts both; their keys are in the profile `default` and, unless named otherwise, `other`. */
export async function startTwoServices(
  t: Cleanup,
  config: {
    source?: Partial<ServiceConfig>;
    destination?: Partial<ServiceConfig>;
    profileName?: string;
  } = {},
): Promise<TwoServices> {
  const { profileName = "other" } = config;
  const source = await startService(t, config.source);
  const destination = await startService(t, config.destination);
  const folder = await temporaryDirectory(t);
  const credentials = join(folder, "credentials");
  await writeFile(credentials, profile(profileName, destination) + profile("default", source));
  const env = {
    ...awsEnvironment(source),
    AWS_SHARED_CREDENTIALS_FILE: credentials,
    XDG_STATE_HOME: join(folder, "state"),
  };
  return {
    source,
    destination,
    folder,
    run: (args, options = {}) =>
      runVarve(args, { cwd: folder, ...options, env: { ...env, ...options.env } }),
    to: ["--to", destination.endpoint, "--to-profile", profileName],
  };
}

function profile(name: string, { firstKey }: Service): string {
  const { accessKeyId, secretAccessKey } = firstKey.key;
  const keys = `aws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}`;
  return `[${name}]\n${keys}\n`;
}
